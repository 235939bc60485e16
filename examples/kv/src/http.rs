//! The port for monitoring: `/metrics`, `/livez` and `/readyz` over HTTP/1.
//!
//! - `/livez` answers as long as the one thread turns that serves clients and peers: who gets no answer may
//!   start the process anew.
//! - `/readyz` says whether to send clients here; if not, 503 and why in one line.
//! - `/metrics` is what Prometheus reads.
//!
//! Whoever reaches this port can learn how the node fares and nothing of what it stores. Bounds: so many
//! connections at a time, one request and so much time for each, a head of so many bytes, no body.

use core::convert::Infallible;
use core::time::Duration;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::debug;

use crate::node::Node;
use crate::port::Ticket;

/// The most connections at a time.
pub const CONNECTIONS_MAX: usize = 64;
/// What is said to who does not speak TLS where it should.
pub const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 36\r\n\
    connection: close\r\n\r\nthis port takes only TLS: use https\n";
/// How long one may last.
const TIME_MAX: Duration = Duration::from_secs(10);
/// How long the head of a request may be.
const HEAD_BYTES_MAX: usize = 8 * 1024;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const EXPOSITION: HeaderValue = HeaderValue::from_static(prometheus::TEXT_FORMAT);

/// Serves a connection to its end, or until another needs its place.
pub async fn run(node: Rc<Node>, stream: impl AsyncRead + AsyncWrite + Unpin, ticket: Ticket) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&node, request.method(), request.uri().path());
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(TIME_MAX, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("a request for metrics failed: {error}"),
        Err(_) => debug!("a request for metrics took too long"),
    }
    drop(ticket);
}

fn answer(node: &Node, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    match path {
        "/livez" => plain(StatusCode::OK, "ok\n"),
        "/readyz" => match node.obstacle() {
            None => plain(StatusCode::OK, "ok\n"),
            Some(text) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{text}\n")),
        },
        "/metrics" => match node.look(|engine| engine.metrics.text(&engine.facts())) {
            Ok(text) => respond(StatusCode::OK, EXPOSITION, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /metrics, /livez and /readyz\n",
        ),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, PLAIN, text)
}

fn respond(status: StatusCode, kind: HeaderValue, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
