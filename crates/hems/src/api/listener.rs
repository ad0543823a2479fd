//! The listener for operators: plain on loopback, TLS anywhere. Nothing of it is the device plane's.
//!
//! ```text
//!  accept ─▶ a place of PLACES? ─▶ TLS, where there is a certificate ─▶ head within HEAD ─▶ answer within ANSWER
//! ```

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, response::IntoResponse};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use profile::{Carrier, WebAcceptor, WebGuest};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::Problem;

/// Connections at a time: an operator's people and programs. Who comes then waits in the system's queue.
const PLACES: usize = 512;
/// How long the head of a request may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(60);
/// How long a request may take: 64 MiB over a slow line.
const ANSWER: Duration = Duration::from_secs(300);
/// How long to wait after a connection could not be accepted: no descriptors are left.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a connection comes from, and which certificate it showed.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) address: SocketAddr,
    pub(super) guest: Option<WebGuest>,
}

/// Serves until `shutdown` turns true, then lets requests end.
pub(super) async fn listen(
    listener: TcpListener,
    tls: Option<WebAcceptor>,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(PLACES));
    let mut connections = JoinSet::new();
    while !*shutdown.borrow() {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            _ = shutdown.changed() => break,
            Some(_) = connections.join_next() => continue,
        };
        let Some((accepted, place)) = accepted else { break };
        let (tls, router, shutdown) = (tls.clone(), router.clone(), shutdown.clone());
        match accepted {
            Ok((tcp, address)) => {
                connections.spawn(async move {
                    converse(tcp, address, tls, router, shutdown).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the API cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn converse(
    tcp: TcpStream,
    address: SocketAddr,
    tls: Option<WebAcceptor>,
    router: Router,
    shutdown: watch::Receiver<bool>,
) {
    let accepted: std::io::Result<(Box<dyn Carrier>, _)> = match tls {
        Some(tls) => tls.accept(tcp).await,
        None => Ok((Box::new(tcp), None)),
    };
    match accepted {
        Ok((stream, guest)) => serve(stream, Arrival { address, guest }, router, shutdown).await,
        Err(error) => tracing::debug!(%error, %address, "no TLS with an operator"),
    }
}

async fn serve(
    stream: Box<dyn Carrier>,
    arrival: Arrival,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(arrival.clone());
        answer(router.clone(), request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = over(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an operator's connection ended");
    }
}

async fn over(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|is_over| *is_over).await;
}

async fn answer(
    router: TowerToHyperService<Router>,
    request: Request<Incoming>,
) -> Result<Response<axum::body::Body>, std::convert::Infallible> {
    let answered = hyper::service::Service::call(&router, request);
    tokio::time::timeout(ANSWER, answered).await.unwrap_or_else(|_| Ok(Problem::slow().into_response()))
}
