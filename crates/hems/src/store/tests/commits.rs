//! A commit that is alone in its transaction: what it leaves to the end of it, and what fails in it.

use super::{
    super::{sql::Query, *},
    world::on_both,
};

fn pool(name: &'static str) -> Query<'static, ()> {
    query("INSERT INTO pool (name, first, last, changed_at) VALUES ($1, 1, 2, 3)").bind(name)
}

/// Adds pools by statements that may wait for the end.
async fn add(tx: &mut Tx, names: &[&'static str]) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    names.iter().for_each(|name| batch.add(pool(name)));
    Ok(batch.execute(tx).await?)
}

async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    let (count,): (i64,) = query_as("SELECT count(*) FROM pool").fetch_one(tx).await?;
    Ok(count)
}

async fn names(store: &Store) -> Vec<String> {
    store.pools().await.unwrap().into_iter().map(|(name, ..)| name).collect()
}

#[tokio::test]
async fn what_waits_for_the_end_is_there_for_what_comes_after_it() {
    on_both(async |world| {
        let store = world.open().await;
        let committed = store.writer.commit(|tx| {
            Box::pin(async move {
                add(tx, &["a", "b"]).await?;
                let seen = count(tx).await?;
                add(tx, &["c"]).await?;
                add(tx, &["d"]).await?;
                Ok(seen)
            })
        });
        assert_eq!(committed.await.unwrap(), 2);
        assert_eq!(names(&store).await, ["a", "b", "c", "d"]);
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_is_alone_and_fails_leaves_nothing() {
    on_both(async |world| {
        let store = world.open().await;
        let at_its_end = store.writer.commit(|tx| Box::pin(add(tx, &["a", "a"])));
        assert!(at_its_end.await.is_err());
        let before_its_end = store.writer.commit(|tx| {
            Box::pin(async move {
                add(tx, &["b"]).await?;
                assert_eq!(count(tx).await?, 1);
                pool("c").execute(&mut *tx).await?;
                add(tx, &["d"]).await?;
                Err::<(), _>(StoreError::Overtaken)
            })
        });
        assert!(matches!(before_its_end.await, Err(StoreError::Overtaken)));
        assert!(names(&store).await.is_empty());
        store.writer.commit(|tx| Box::pin(add(tx, &["e"]))).await.unwrap();
        assert_eq!(names(&store).await, ["e"]);
    })
    .await;
}
