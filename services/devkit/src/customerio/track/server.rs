//! The HTTP face of the Track API.

use std::future::pending;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::fault::Fault;
use super::operation::{self, BATCH_BYTES_MAX, ITEM_BYTES_MAX};
use super::violation::Violation;
use super::{Inner, Track};

/// Larger requests end in a 413 before they are read: far above the vendor's limits, so that these are the
/// ones that answer.
const BODY_BYTES_MAX: usize = 8 << 20;

pub(super) fn router(track: Track) -> Router {
    Router::new()
        .route("/api/v1/accounts/region", get(region))
        .route("/api/v2/batch", post(batch))
        .route("/api/v2/entity", post(entity))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(track)
}

async fn region(State(track): State<Track>, headers: HeaderMap) -> Response {
    if !authorized(&track, &headers) {
        return unauthorized(&track);
    }
    // The vendor names its own host here; a stand-in names itself, or its callers would go to the vendor.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let region = &track.settings.region;
    answer(StatusCode::OK, &json!({ "url": format!("http://{host}"), "region": region, "environment_id": 3 }))
}

async fn batch(State(track): State<Track>, headers: HeaderMap, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Batch {
        batch: Vec<Box<RawValue>>,
    }
    let fault = match admit(&track, &headers).await {
        Ok(fault) => fault,
        Err(refusal) => return refusal,
    };
    if body.len() >= BATCH_BYTES_MAX {
        return malformed(&track, "batch", "must be smaller than 500kb");
    }
    let items = match serde_json::from_slice::<Batch>(&body) {
        Ok(Batch { batch }) if !batch.is_empty() => batch,
        _ => return malformed(&track, "batch", "must be a list of operations"),
    };
    let errors: Vec<Value> = apply(&track, &items)
        .iter()
        .enumerate()
        .filter_map(|(index, violation)| Some(violation.as_ref()?.to_json_at(index)))
        .collect();
    lose(fault).await;
    if errors.is_empty() {
        answer(StatusCode::OK, &json!({}))
    } else {
        answer(StatusCode::MULTI_STATUS, &json!({ "errors": errors }))
    }
}

async fn entity(State(track): State<Track>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = match admit(&track, &headers).await {
        Ok(fault) => fault,
        Err(refusal) => return refusal,
    };
    if body.len() > ITEM_BYTES_MAX {
        return malformed(&track, "", "cannot be larger than 32kb");
    }
    let Ok(item) = serde_json::from_slice::<Box<RawValue>>(&body) else {
        return malformed(&track, "", "must be an object");
    };
    let violation = apply(&track, &[item]).into_iter().next().flatten();
    lose(fault).await;
    match violation {
        None => answer(StatusCode::OK, &json!({})),
        Some(violation) => answer(StatusCode::BAD_REQUEST, &json!({ "errors": [violation.to_json()] })),
    }
}

async fn unknown(State(track): State<Track>) -> Response {
    track.with(|state| state.workspace.counts.unknown += 1);
    answer(StatusCode::NOT_FOUND, &json!({ "meta": { "error": "not found" } }))
}

/// Lets a request in after the credentials, the latency, the rate limit and the next fault; hands back a
/// fault that shows only in the answer.
async fn admit(track: &Track, headers: &HeaderMap) -> Result<Option<Fault>, Response> {
    let latency = track.with(|state| {
        state.workspace.counts.requests += 1;
        state.faults.latency
    });
    tokio::time::sleep(latency).await;
    if !authorized(track, headers) {
        return Err(unauthorized(track));
    }
    let limit = track.settings.rate_limit_per_s;
    if track.with(|state| state.faults.over(limit, Instant::now())) {
        track.with(|state| state.workspace.counts.limited += 1);
        return Err(answer(StatusCode::TOO_MANY_REQUESTS, &json!({})));
    }
    let fault = track.with(|state| {
        let fault = state.faults.queue.pop_front();
        state.workspace.counts.injected += u64::from(fault.is_some());
        fault
    });
    match fault {
        Some(Fault::Status(code)) => Err(answer(status(code), &json!({}))),
        Some(Fault::RetryAfter(seconds)) => {
            let mut refusal = answer(StatusCode::TOO_MANY_REQUESTS, &json!({}));
            refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Err(refusal)
        }
        Some(Fault::Hang) => pending().await,
        Some(Fault::LostAnswer) | None => Ok(fault),
    }
}

/// Applies what can be applied, the last item first: the vendor documents no order within a batch, so a
/// sender that relies on one shall notice. The violations come in the items' order.
fn apply(track: &Track, items: &[Box<RawValue>]) -> Vec<Option<Violation>> {
    let now_s = now_s();
    track.with(|state| {
        let mut violations: Vec<Option<Violation>> =
            items.iter().rev().map(|item| apply_one(state, item, now_s).err()).collect();
        violations.reverse();
        violations
    })
}

fn apply_one(state: &mut Inner, item: &RawValue, now_s: i64) -> Result<(), Violation> {
    let checked = operation::read(item, now_s).and_then(|operation| {
        if state.faults.rejects(&operation.identifier) {
            return Err(Violation::new("invalid", "identifiers", "rejected at a test's wish"));
        }
        Ok(operation)
    });
    match checked {
        Ok(operation) => {
            state.workspace.apply(operation, now_s);
            Ok(())
        }
        Err(violation) => {
            state.workspace.counts.rejected += 1;
            Err(violation)
        }
    }
}

async fn lose(fault: Option<Fault>) {
    if fault == Some(Fault::LostAnswer) {
        pending::<()>().await;
    }
}

fn authorized(track: &Track, headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    let expected = format!("{}:{}", track.settings.site_id, track.settings.api_key);
    given.is_some_and(|given| given == expected.as_bytes())
}

fn unauthorized(track: &Track) -> Response {
    track.with(|state| state.workspace.counts.unauthorized += 1);
    answer(StatusCode::UNAUTHORIZED, &json!({ "meta": { "error": "unauthorized" } }))
}

fn malformed(track: &Track, field: &str, message: &str) -> Response {
    track.with(|state| state.workspace.counts.malformed += 1);
    let violation = Violation::new("invalid", field, message);
    answer(StatusCode::BAD_REQUEST, &json!({ "errors": [violation.to_json()] }))
}

/// The vendor's answers end in a line feed.
fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, headers, format!("{body}\n")).into_response()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
