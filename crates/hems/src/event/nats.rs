//! The way to NATS JetStream: every event, at least once, in order, with an id by which the stream drops repetitions.
//!
//! ```text
//!  outbox after the mark ─▶ published, `Nats-Msg-Id` ─▶ all acknowledged ─▶ the mark moves, durable
//!                 ▲                                  └─ not ─▶ once more from the mark, later ─┐
//!                 └────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderMap, HeaderName,
    jetstream::{self, stream},
};
use tokio::sync::watch;

use super::Envelope;
use crate::{
    Hems,
    config::NatsLine,
    store::{OutboxRow, StoreError},
    turn::Turn,
};

/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_millis(500);
/// The wait after a failure.
const REST: Duration = Duration::from_secs(5);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events that are published before the mark moves.
const BATCH: u32 = 200;
/// Characters of a subject's part that a cell's identity makes.
const TOKEN_MAX: usize = 128;
/// The mark of the last event that the stream has.
const MARK: &str = "nats";

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
enum NatsError {
    #[error("the credentials cannot be read: {0}")]
    Credentials(#[from] std::io::Error),
    #[error("cannot connect: {0}")]
    Connect(#[from] async_nats::ConnectError),
    #[error("the stream cannot be used: {0}")]
    Stream(#[from] jetstream::context::CreateStreamError),
    #[error("an event was not acknowledged: {0}")]
    Publish(#[from] jetstream::context::PublishError),
    #[error("the server does not answer")]
    Slow,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Publishes until the server shuts down.
pub(crate) async fn run(
    hems: Arc<Hems>,
    settings: NatsLine,
    source: String,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut turn = Turn::new("nats");
    let mut line = None;
    loop {
        let mut wait = LOOK;
        if turn.is_ours(&hems).await
            && let Err(error) = go_on(&hems, (&settings, &source), &mut line, &mut turn).await
        {
            tracing::warn!(%error, "events for NATS wait");
            // A connection that failed is made anew, with whatever address the name has then.
            (line, wait) = (None, REST);
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = shutdown.wait_for(|is_over| *is_over) => break,
        }
    }
    turn.leave(&hems).await;
}

/// Publishes what is there, for as long as the job is ours: of two nodes that do it neither keeps the order. Connects
/// where nobody did.
async fn go_on(
    hems: &Hems,
    (settings, source): (&NatsLine, &str),
    line: &mut Option<jetstream::Context>,
    turn: &mut Turn,
) -> Result<(), NatsError> {
    let ends = hems.store.outbox_ends().await?;
    let mut position = match hems.store.mark(MARK).await? {
        Some(position) => position.max(ends.trimmed),
        None => begin(hems, ends.trimmed).await?,
    };
    while position < ends.newest {
        let rows = hems.store.outbox_after(position, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        let context = match line {
            Some(context) => context,
            None => line.insert(bounded(connect(settings)).await?),
        };
        // After all that may take its time: what was asked holds longer than a batch is waited for.
        if !turn.is_ours(hems).await {
            return Ok(());
        }
        bounded(publish(context, settings, source, &rows)).await?;
        position = last.sequence;
        hems.store.set_mark(MARK, position).await?;
    }
    Ok(())
}

/// All that is kept is published first, and trimmed events are counted from then on.
async fn begin(hems: &Hems, trimmed: i64) -> Result<i64, NatsError> {
    hems.store.set_mark(MARK, trimmed).await?;
    Ok(trimmed)
}

async fn bounded<T>(work: impl Future<Output = Result<T, NatsError>>) -> Result<T, NatsError> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(NatsError::Slow))
}

/// Connects, and makes the stream where it is missing; one that is there stays as its owner wants it.
async fn connect(settings: &NatsLine) -> Result<jetstream::Context, NatsError> {
    let mut options = async_nats::ConnectOptions::new().name("hearth").connection_timeout(PATIENCE);
    if let Some(file) = &settings.credentials_file {
        options = options.credentials_file(file).await?;
    }
    let context = jetstream::new(options.connect(&settings.url).await?);
    let config = stream::Config {
        name: settings.stream.clone(),
        subjects: vec![format!("{}.>", settings.prefix)],
        ..stream::Config::default()
    };
    context.get_or_create_stream(config).await?;
    tracing::info!(stream = settings.stream, "connected to NATS");
    Ok(context)
}

/// Publishes a batch, and waits until the stream has all of it.
async fn publish(
    context: &jetstream::Context,
    settings: &NatsLine,
    source: &str,
    rows: &[OutboxRow],
) -> Result<(), NatsError> {
    let mut acknowledgements = Vec::with_capacity(rows.len());
    for row in rows {
        let envelope = Envelope::of(row, source);
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("Nats-Msg-Id"), envelope.id.as_str());
        headers.insert(HeaderName::from_static("Content-Type"), "application/cloudevents+json");
        let subject = subject(&settings.prefix, row);
        acknowledgements.push(context.publish_with_headers(subject, headers, envelope.text().into()).await?);
    }
    for acknowledgement in acknowledgements {
        acknowledgement.await?;
    }
    Ok(())
}

/// `PREFIX.TYPE.SUBJECT`: who wants one type or one cell says so with a wildcard. A dot would part an identity.
fn subject(prefix: &str, row: &OutboxRow) -> String {
    let token = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let about: String = row.subject.chars().take(TOKEN_MAX).map(token).collect();
    let about = if about.is_empty() { "_" } else { &about };
    format!("{prefix}.{}.{about}", row.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sequence: i64) -> OutboxRow {
        let (kind, subject) = ("alarm.raised".to_owned(), "00005e005301.hnb.example".to_owned());
        OutboxRow { sequence, kind, subject, at: 1_700_000_000_000, body: "{}".to_owned() }
    }

    #[tokio::test]
    async fn what_is_published_again_is_in_the_stream_once() {
        let Some(server) = oracles::Nats::start("hems::event::nats") else { return };
        let settings = line_to(&server);
        let mut line = connect(&settings).await;
        while line.is_err() {
            line = connect(&settings).await;
        }
        let context = line.unwrap();
        // As after a node that died between the stream's word and the mark.
        for rows in [[row(1), row(2)], [row(1), row(2)], [row(2), row(3)]] {
            publish(&context, &settings, "/hems", &rows).await.unwrap();
        }
        let mut stream = context.get_stream("HEARTH").await.unwrap();
        assert_eq!(stream.info().await.unwrap().state.messages, 3);
    }

    #[tokio::test]
    async fn a_backlog_is_left_to_the_node_whose_job_it_is_by_now() {
        let Some(server) = oracles::Nats::start("hems::event::nats") else { return };
        let folder = tempfile::tempdir().unwrap();
        let hems = Hems::for_tests(folder.path(), Duration::from_secs(60)).await;
        let identity = profile::Identity::parse("00005e005301.hnb.example").unwrap();
        let (oui, product_class) = ("00005E".to_owned(), "C".to_owned());
        let binding = crate::store::Binding { oui, product_class, serial: "1".to_owned() };
        hems.store.admit(vec![(identity, binding)], true, hems.now()).await.unwrap();
        let settings = line_to(&server);
        let mut line = connect(&settings).await;
        while line.is_err() {
            line = connect(&settings).await;
        }
        let context = line.unwrap();
        let (mut line, mut other) = (Some(context.clone()), Turn::new("nats"));
        assert!(other.is_ours(&hems).await);
        let messages = async || {
            let mut stream = context.get_stream("HEARTH").await.unwrap();
            stream.info().await.unwrap().state.messages
        };
        let going = (&settings, "/hems");
        go_on(&hems, going, &mut line, &mut Turn::new("nats")).await.unwrap();
        assert_eq!(messages().await, 0);
        other.leave(&hems).await;
        go_on(&hems, going, &mut line, &mut Turn::new("nats")).await.unwrap();
        assert_eq!(messages().await, 1);
    }

    fn line_to(server: &oracles::Nats) -> NatsLine {
        NatsLine {
            url: server.url(),
            prefix: "hems".to_owned(),
            stream: "HEARTH".to_owned(),
            credentials_file: None,
        }
    }

    #[test]
    fn a_subject_is_made_of_tokens_whatever_an_event_is_about() {
        let about =
            |subject: &str| super::subject("hems", &OutboxRow { subject: subject.to_owned(), ..row(1) });
        assert_eq!(about("00005e005301.hnb.example"), "hems.alarm.raised.00005e005301_hnb_example");
        assert_eq!(about("a > b * c\r\n"), "hems.alarm.raised.a___b___c__");
        assert_eq!(about(""), "hems.alarm.raised._");
    }
}
