//! Templates, as text that was checked when it was saved.

use jiff::Timestamp;

use super::{Store, StoreError, json, ms, outbox, parse, query, query_as};
use crate::{event::Kind, template::Template};

impl Store {
    /// All templates by name.
    pub(crate) async fn templates(&self) -> Result<Vec<(String, Template)>, StoreError> {
        let rows: Vec<(String, String)> =
            query_as("SELECT name, body FROM template ORDER BY name").fetch_all(&self.reads).await?;
        rows.into_iter().map(|(name, body)| Ok((name, parse("template", &body)?))).collect()
    }

    /// Saves a template; whether it is new.
    pub(crate) async fn put_template(
        &self,
        name: String,
        template: &Template,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let body = json(template);
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    query(
                        "INSERT INTO template (name, body, changed_at) VALUES ($1, $2, $3) ON CONFLICT (name) \
                         DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at",
                    )
                    .bind(&name)
                    .bind(body)
                    .bind(ms(now))
                    .execute(&mut *tx)
                    .await?;
                    outbox::tell(tx, Kind::TemplateSaved, &name, ms(now), &serde_json::json!({})).await
                })
            })
            .await
    }

    /// Removes a template; whether it was there.
    pub(crate) async fn delete_template(&self, name: String, now: Timestamp) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query("DELETE FROM template WHERE name = $1").bind(&name);
                    if query.execute(&mut *tx).await?.rows_affected() == 0 {
                        return Ok(false);
                    }
                    outbox::tell(tx, Kind::TemplateDeleted, &name, ms(now), &serde_json::json!({})).await?;
                    Ok(true)
                })
            })
            .await
    }
}
