use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, redirect};
use thiserror::Error;

use crate::answer::{self, Answer};
use crate::operation::{self, Encoded};
use crate::{Settings, limit};

/// Longest answer that is read, in bytes. A 207 that names every operation of a full batch is far shorter.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How long an unused connection is kept: less than the idle limits of the balancers in front of the vendor.
const IDLE: Duration = Duration::from_secs(30);

/// The client could not be made.
#[derive(Debug, Error)]
#[error("http client could not be made: check the system's trust store and customerio.url")]
pub struct Error(#[source] reqwest::Error);

/// How a request ended on the wire. [`Answer`] says what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The vendor answered.
    Http(u16),
    /// No connection, and why.
    Unreachable(String),
    /// No whole answer in time. It may or may not have been accepted.
    TimedOut,
    /// The connection broke on the way. It may or may not have been accepted.
    Broken(String),
}

impl Status {
    /// A metric label, one of about twenty.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Broken(_) => "broken",
            Self::Http(status) => http_label(*status),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => write!(f, "answered {status}"),
            Self::Unreachable(why) => write!(f, "unreachable: {why}"),
            Self::TimedOut => write!(f, "no answer in time"),
            Self::Broken(why) => write!(f, "connection broke: {why}"),
        }
    }
}

/// How a request ended and what it means.
#[derive(Debug)]
pub struct Reply {
    /// How the request ended.
    pub status: Status,
    /// What it means for the operations that were sent.
    pub answer: Answer,
}

/// A workspace's Track API. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    batch_url: String,
    settings: Settings,
}

impl Client {
    /// A client that follows no redirect, and waits for nothing longer than its settings say.
    ///
    /// # Errors
    /// Where TLS can't be set up.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("aftersend/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(Error)?;
        let origin = settings.url.as_deref().unwrap_or_else(|| settings.region.track_url());
        let batch_url = format!("{}/api/v2/batch", origin.trim_end_matches('/'));
        Ok(Self { http, batch_url, settings })
    }

    /// Sends `operations` as one batch, once. The caller keeps their sum below [`limit::BATCH_BYTES`].
    pub async fn batch(&self, operations: &[&Encoded]) -> Reply {
        let body = operation::body(operations);
        debug_assert!(body.len() < limit::BATCH_BYTES, "a batch is packed below the vendor's limit");
        let request = self
            .http
            .post(&self.batch_url)
            .basic_auth(self.settings.site_id.expose(), Some(self.settings.api_key.expose()))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        match exchange(request).await {
            Ok((status, retry_after, body)) => Reply {
                answer: answer::classify(status, retry_after.as_deref(), &body, operations.len()),
                status: Status::Http(status),
            },
            Err(err) => Reply { status: failure(&err), answer: Answer::Retry { after: None } },
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("batch_url", &self.batch_url).finish_non_exhaustive()
    }
}

async fn exchange(request: RequestBuilder) -> Result<(u16, Option<String>, Vec<u8>), reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Only the body of a refusal matters. Every body is read, so that the connection can be used again, but a
    // broken body must not turn an accepted batch into a retry.
    match read(response).await {
        Ok(body) => Ok((status, retry_after, body)),
        Err(err) if status == 207 => Err(err),
        Err(_) => Ok((status, retry_after, Vec::new())),
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure(err: &reqwest::Error) -> Status {
    if err.is_connect() {
        Status::Unreachable(root_cause(err))
    } else if err.is_timeout() {
        Status::TimedOut
    } else {
        Status::Broken(root_cause(err))
    }
}

/// The innermost cause, such as `Connection refused (os error 111)`. The outer causes only repeat the
/// address.
fn root_cause(err: &reqwest::Error) -> String {
    let mut cause = err.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "request failed".to_owned(), ToString::to_string)
}

fn http_label(status: u16) -> &'static str {
    const KNOWN: &[(u16, &str)] = &[
        (200, "200"),
        (207, "207"),
        (301, "301"),
        (302, "302"),
        (307, "307"),
        (308, "308"),
        (400, "400"),
        (401, "401"),
        (403, "403"),
        (404, "404"),
        (408, "408"),
        (413, "413"),
        (425, "425"),
        (429, "429"),
        (500, "500"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
    ];
    KNOWN.iter().find(|(known, _)| *known == status).map_or("other", |(_, label)| label)
}
