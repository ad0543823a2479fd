//! Accounts with their logins and tokens, machines, and the one link for the first administrator.
//!
//! What depends on what is there (the last login but so many, the first account) is decided inside the writer's
//! transaction. An account that is disabled or goes takes its logins along; one that goes, its tokens.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Condition, Edited, Store, StoreError, Tag, Tx, link::Target, ms, query, query_as};

/// Logins of one account at a time: people have few browsers. The oldest gives way.
const LOGINS_MAX: i64 = 16;
/// Tokens of one account: one for each program.
const TOKENS_MAX: i64 = 256;
/// Accounts, and machines: a large operator's staff.
const ACCOUNTS_MAX: i64 = 10_000;
/// How often a token's use is written down, in milliseconds.
const USE_STEP: i64 = 60_000;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct AccountRow {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) scope: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) subject: Option<String>,
    #[sqlx(try_from = "super::Flag")]
    pub(crate) is_disabled: bool,
    pub(crate) made_at: i64,
    pub(crate) last_login_at: Option<i64>,
}

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct TokenRow {
    pub(crate) prefix: String,
    pub(crate) hash: String,
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) scope: Option<String>,
    pub(crate) made_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: Option<i64>,
}

/// A machine that comes with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct MachineRow {
    pub(crate) name: String,
    pub(crate) fingerprint: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) role: String,
    pub(crate) scope: Option<String>,
    pub(crate) made_at: i64,
}

impl Edited for AccountRow {
    fn tag(&self) -> Tag {
        Tag::of((&self.role, &self.scope, &self.subject, self.is_disabled))
    }
}

/// What became of something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adding {
    Added,
    /// The name, the subject or the certificate is somebody's.
    Taken,
    Full,
}

impl Store {
    /// Every account by name.
    pub(crate) async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        Ok(query_as("SELECT * FROM account ORDER BY name").fetch_all(&self.reads).await?)
    }

    /// One account.
    pub(crate) async fn account(&self, name: &str) -> Result<Option<AccountRow>, StoreError> {
        found(&self.reads, name).await
    }

    /// The account of somebody whom the identity provider vouches for.
    pub(crate) async fn account_of_subject(&self, subject: &str) -> Result<Option<AccountRow>, StoreError> {
        let query = query_as("SELECT * FROM account WHERE subject = $1").bind(subject);
        Ok(query.fetch_optional(&self.reads).await?)
    }

    /// Adds an account.
    pub(crate) async fn add_account(&self, row: AccountRow) -> Result<Adding, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { add_account(tx, &row).await })).await
    }

    /// Adds the first account of all, with the link's key; whether the key was good.
    pub(crate) async fn add_first(
        &self,
        hash: String,
        row: AccountRow,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { add_first(tx, &hash, &row, ms(now)).await })).await
    }

    /// Offers a link for the first administrator; whether it is the deployment's now.
    pub(crate) async fn offer_first(
        &self,
        hash: String,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { offer_first(tx, &hash, ms(now), ms(until)).await }))
            .await
    }

    /// Changes role, scope, subject and whether it is disabled; nothing where there is no such account.
    pub(crate) async fn change_account(
        &self,
        row: AccountRow,
        condition: Condition,
    ) -> Result<Option<Adding>, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx, &row.name).await?.as_ref())?;
                    change_account(tx, &row).await
                })
            })
            .await
    }

    /// Sets a password and ends every login; whether there is such an account.
    pub(crate) async fn set_password(&self, name: String, hash: String) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let update =
                        query("UPDATE account SET password = $2 WHERE name = $1").bind(&name).bind(hash);
                    let is_there = update.execute(&mut *tx).await?.rows_affected() > 0;
                    end_logins(tx, &name).await?;
                    Ok(is_there)
                })
            })
            .await
    }

    /// Removes an account with its logins and tokens; whether it was there.
    pub(crate) async fn remove_account(
        &self,
        name: String,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx, &name).await?.as_ref())?;
                    end_logins(tx, &name).await?;
                    query("DELETE FROM api_token WHERE account = $1").bind(&name).execute(&mut *tx).await?;
                    let gone = query("DELETE FROM account WHERE name = $1").bind(&name).execute(tx).await?;
                    Ok(gone.rows_affected() > 0)
                })
            })
            .await
    }

    /// Opens a login and forgets those that are over, and this account's oldest beyond the bound.
    pub(crate) async fn open_login(
        &self,
        hash: String,
        account: String,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move { open_login(tx, &hash, &account, (ms(now), ms(until))).await })
            })
            .await
    }

    /// The account of a login that is open.
    pub(crate) async fn login(&self, hash: &str, now: Timestamp) -> Result<Option<AccountRow>, StoreError> {
        let query = query_as(
            "SELECT a.* FROM login l JOIN account a ON a.name = l.account \
             WHERE l.hash = $1 AND l.expires_at > $2 AND a.is_disabled = 0",
        );
        Ok(query.bind(hash).bind(ms(now)).fetch_optional(&self.reads).await?)
    }

    /// Ends a login.
    pub(crate) async fn close_login(&self, hash: String) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    query("DELETE FROM login WHERE hash = $1").bind(hash).execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Tokens by the time at which they were made: of one account, or all.
    pub(crate) async fn tokens(&self, account: Option<&str>) -> Result<Vec<TokenRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM api_token WHERE $1 IS NULL OR account = $1 ORDER BY account, made_at, prefix",
        );
        Ok(query.bind(account).fetch_all(&self.reads).await?)
    }

    /// A token that is good at this moment.
    pub(crate) async fn token(&self, prefix: &str, now: Timestamp) -> Result<Option<TokenRow>, StoreError> {
        let query = query_as("SELECT * FROM api_token WHERE prefix = $1 AND expires_at > $2");
        Ok(query.bind(prefix).bind(ms(now)).fetch_optional(&self.reads).await?)
    }

    /// Adds a token.
    pub(crate) async fn add_token(&self, row: TokenRow) -> Result<Adding, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { add_token(tx, &row).await })).await
    }

    /// Removes a token, of one account or of any; whether it was there.
    pub(crate) async fn remove_token(
        &self,
        prefix: String,
        account: Option<String>,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let delete = "DELETE FROM api_token WHERE prefix = $1 AND ($2 IS NULL OR account = $2)";
                    let gone = query(delete).bind(prefix).bind(account).execute(tx).await?;
                    Ok(gone.rows_affected() > 0)
                })
            })
            .await
    }

    /// Notes that a token is used, once a minute.
    pub(crate) async fn use_token(&self, token: &TokenRow, now: Timestamp) -> Result<(), StoreError> {
        let now = ms(now);
        if token.last_used_at.is_some_and(|last| now - last < USE_STEP) {
            return Ok(());
        }
        let prefix = token.prefix.clone();
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let update = query("UPDATE api_token SET last_used_at = $2 WHERE prefix = $1");
                    update.bind(prefix).bind(now).execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Every machine by name.
    pub(crate) async fn machines(&self) -> Result<Vec<MachineRow>, StoreError> {
        Ok(query_as("SELECT * FROM machine ORDER BY name").fetch_all(&self.reads).await?)
    }

    /// The machine of a certificate, by its fingerprint or else by the subject that a CA vouches for.
    pub(crate) async fn machine(
        &self,
        fingerprint: &str,
        subject: Option<&str>,
    ) -> Result<Option<MachineRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM machine WHERE fingerprint = $1 OR subject = $2 \
             ORDER BY CASE WHEN fingerprint = $1 THEN 0 ELSE 1 END",
        );
        Ok(query.bind(fingerprint).bind(subject).fetch_optional(&self.reads).await?)
    }

    /// Adds a machine.
    pub(crate) async fn add_machine(&self, row: MachineRow) -> Result<Adding, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { add_machine(tx, &row).await })).await
    }

    /// Removes a machine; whether it was there.
    pub(crate) async fn remove_machine(&self, name: String) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let gone = query("DELETE FROM machine WHERE name = $1").bind(name).execute(tx).await?;
                    Ok(gone.rows_affected() > 0)
                })
            })
            .await
    }
}

async fn count(tx: &mut Tx, sql: &'static str) -> Result<i64, StoreError> {
    let (count,): (i64,) = query_as(sql).fetch_one(tx).await?;
    Ok(count)
}

async fn add_account(tx: &mut Tx, row: &AccountRow) -> Result<Adding, StoreError> {
    if count(tx, "SELECT count(*) FROM account").await? >= ACCOUNTS_MAX {
        return Ok(Adding::Full);
    }
    let insert = "INSERT INTO account (name, role, scope, password, subject, is_disabled, made_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let added = query(insert)
        .bind(&row.name)
        .bind(&row.role)
        .bind(&row.scope)
        .bind(&row.password)
        .bind(&row.subject)
        .bind(row.is_disabled)
        .bind(row.made_at)
        .execute(tx)
        .await?;
    Ok(if added.rows_affected() > 0 { Adding::Added } else { Adding::Taken })
}

async fn add_first(tx: &mut Tx, hash: &str, row: &AccountRow, now: i64) -> Result<bool, StoreError> {
    let used = query("DELETE FROM first_administrator WHERE hash = $1 AND expires_at > $2");
    let is_good = used.bind(hash).bind(now).execute(&mut *tx).await?.rows_affected() > 0;
    let is_first = count(tx, "SELECT count(*) FROM account").await? == 0;
    Ok(is_good && is_first && add_account(tx, row).await? == Adding::Added)
}

async fn offer_first(tx: &mut Tx, hash: &str, now: i64, until: i64) -> Result<bool, StoreError> {
    query("DELETE FROM first_administrator WHERE expires_at <= $1").bind(now).execute(&mut *tx).await?;
    if count(tx, "SELECT count(*) FROM account").await? > 0 {
        return Ok(false);
    }
    let insert = "INSERT INTO first_administrator (one, hash, expires_at) VALUES (1, $1, $2) \
                  ON CONFLICT DO NOTHING";
    Ok(query(insert).bind(hash).bind(until).execute(tx).await?.rows_affected() > 0)
}

async fn found(target: impl Target, name: &str) -> Result<Option<AccountRow>, StoreError> {
    Ok(query_as("SELECT * FROM account WHERE name = $1").bind(name).fetch_optional(target).await?)
}

async fn change_account(tx: &mut Tx, row: &AccountRow) -> Result<Option<Adding>, StoreError> {
    let others = "SELECT count(*) FROM account WHERE subject = $1 AND name <> $2";
    let (others,): (i64,) = query_as(others).bind(&row.subject).bind(&row.name).fetch_one(&mut *tx).await?;
    if others > 0 {
        return Ok(Some(Adding::Taken));
    }
    let update = "UPDATE account SET role = $2, scope = $3, subject = $4, is_disabled = $5 WHERE name = $1";
    let changed = query(update)
        .bind(&row.name)
        .bind(&row.role)
        .bind(&row.scope)
        .bind(&row.subject)
        .bind(row.is_disabled)
        .execute(&mut *tx)
        .await?;
    if row.is_disabled {
        end_logins(tx, &row.name).await?;
    }
    Ok((changed.rows_affected() > 0).then_some(Adding::Added))
}

async fn end_logins(tx: &mut Tx, account: &str) -> Result<(), StoreError> {
    query("DELETE FROM login WHERE account = $1").bind(account).execute(tx).await?;
    Ok(())
}

async fn open_login(
    tx: &mut Tx,
    hash: &str,
    account: &str,
    (now, until): (i64, i64),
) -> Result<(), StoreError> {
    query("DELETE FROM login WHERE expires_at <= $1").bind(now).execute(&mut *tx).await?;
    query("INSERT INTO login (hash, account, made_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(hash)
        .bind(account)
        .bind(now)
        .bind(until)
        .execute(&mut *tx)
        .await?;
    query("UPDATE account SET last_login_at = $2 WHERE name = $1")
        .bind(account)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let oldest = "DELETE FROM login WHERE account = $1 AND hash NOT IN \
                  (SELECT hash FROM login WHERE account = $1 ORDER BY made_at DESC, hash LIMIT $2)";
    query(oldest).bind(account).bind(LOGINS_MAX).execute(tx).await?;
    Ok(())
}

async fn add_token(tx: &mut Tx, row: &TokenRow) -> Result<Adding, StoreError> {
    let (count,): (i64,) = query_as("SELECT count(*) FROM api_token WHERE account = $1")
        .bind(&row.account)
        .fetch_one(&mut *tx)
        .await?;
    if count >= TOKENS_MAX {
        return Ok(Adding::Full);
    }
    let insert = "INSERT INTO api_token (prefix, hash, name, account, role, scope, made_at, expires_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let added = query(insert)
        .bind(&row.prefix)
        .bind(&row.hash)
        .bind(&row.name)
        .bind(&row.account)
        .bind(&row.role)
        .bind(&row.scope)
        .bind(row.made_at)
        .bind(row.expires_at)
        .execute(tx)
        .await?;
    Ok(if added.rows_affected() > 0 { Adding::Added } else { Adding::Taken })
}

async fn add_machine(tx: &mut Tx, row: &MachineRow) -> Result<Adding, StoreError> {
    if count(tx, "SELECT count(*) FROM machine").await? >= ACCOUNTS_MAX {
        return Ok(Adding::Full);
    }
    let insert = "INSERT INTO machine (name, fingerprint, subject, role, scope, made_at) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let added = query(insert)
        .bind(&row.name)
        .bind(&row.fingerprint)
        .bind(&row.subject)
        .bind(&row.role)
        .bind(&row.scope)
        .bind(row.made_at)
        .execute(tx)
        .await?;
    Ok(if added.rows_affected() > 0 { Adding::Added } else { Adding::Taken })
}
