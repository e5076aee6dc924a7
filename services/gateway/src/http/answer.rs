//! Every answer that can leave the gateway. No other status can be sent.
//!
//! After 400, 401, 402, 403, 404, 405, 410, 429, 500, 502 and 521 the vendor waits an hour, and all later
//! webhooks queue behind (G3). So trouble on our side is 503, and a signed body is never refused for what it
//! says.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;
use thiserror::Error;

use crate::signature::Reason;

/// What a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200: every event is acknowledged by Kafka (G1).
    Received {
        /// How many there were.
        events: usize,
    },
    /// 401: the request is not signed with a live key.
    Unauthorized(Reason),
    /// 404: no such endpoint or source.
    NotFound,
    /// 405: a webhook is sent by POST.
    MethodNotAllowed,
    /// 413: the request is beyond a hard cap, far above anything that the vendor sends.
    TooLarge,
    /// 503: there is trouble on our side. The vendor tries again soon.
    Unavailable(Unavailable),
}

/// Why a request is answered 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Unavailable {
    /// The limit on requests in flight is reached.
    #[error("too many requests in flight")]
    TooManyRequests,
    /// The limit on bytes in flight is reached.
    #[error("too many bytes in flight")]
    TooManyBytes,
    /// The body broke off. The client has gone, and will hardly read the answer.
    #[error("the request's body broke off")]
    BodyBrokeOff,
    /// Raw's partition count is not known yet.
    #[error("kafka has not been reached yet")]
    PartitionsUnknown,
    /// Raw's partition count is not what it was at boot.
    #[error("raw's partition count has changed")]
    PartitionsChanged,
    /// Kafka did not acknowledge in time.
    #[error("kafka did not acknowledge in time")]
    AckDeadline,
    /// Kafka gave an error.
    #[error("kafka did not take a record ({0})")]
    Kafka(&'static str),
    /// A record did not fit its schema. This is a bug of ours.
    #[error("a record did not fit its schema")]
    Encoding,
    /// The request took too long, for example because its body came slowly.
    #[error("the request took too long")]
    Timeout,
    /// The code panicked. This is a bug of ours.
    #[error("the request met a bug")]
    Panic,
}

impl Answer {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Received { .. } => StatusCode::OK,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The metric's label.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Unauthorized(reason) => reason.code(),
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::Unavailable(why) => why.code(),
        }
    }

    pub(crate) fn response(self, draining: bool) -> Response<Full<Bytes>> {
        let body = match self {
            Self::Received { events } => json!({"received": events}),
            Self::Unauthorized(reason) => json!({"error": reason.to_string()}),
            Self::NotFound => json!({"error": "no such endpoint"}),
            Self::MethodNotAllowed => json!({"error": "webhooks are sent by POST"}),
            Self::TooLarge => json!({"error": "larger than this gateway takes"}),
            Self::Unavailable(why) => json!({"error": why.to_string()}),
        };
        let mut response = json_response(self.status(), &body, draining);
        if self == Self::MethodNotAllowed {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// The answer to a health check: 200 as long as webhooks are answered here, and 503 during the drain, so that
/// a load balancer sends new requests elsewhere (G6). Trouble with Kafka doesn't count.
pub(crate) fn health(draining: bool) -> Response<Full<Bytes>> {
    let (status, text) =
        if draining { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "ok") };
    json_response(status, &json!({"status": text}), draining)
}

fn json_response(status: StatusCode, body: &serde_json::Value, draining: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if draining {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Unavailable {
    /// Whether only a signed request gets this answer. Then it is logged: nobody else can fill the log with
    /// it.
    pub(crate) fn needs_a_key(self) -> bool {
        match self {
            Self::TooManyRequests | Self::TooManyBytes | Self::BodyBrokeOff | Self::Timeout => false,
            Self::PartitionsUnknown | Self::PartitionsChanged | Self::AckDeadline => true,
            Self::Kafka(_) | Self::Encoding | Self::Panic => true,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::TooManyRequests => "too_many_requests",
            Self::TooManyBytes => "too_many_bytes",
            Self::BodyBrokeOff => "body_broke_off",
            Self::PartitionsUnknown => "partitions_unknown",
            Self::PartitionsChanged => "partitions_changed",
            Self::AckDeadline => "ack_deadline",
            Self::Kafka(_) => "kafka",
            Self::Encoding => "encoding",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One answer of each kind. With a new variant, the match does not compile until it is added.
    fn all() -> Vec<Answer> {
        use Unavailable as U;
        let unavailable = [
            U::TooManyRequests,
            U::TooManyBytes,
            U::BodyBrokeOff,
            U::PartitionsUnknown,
            U::PartitionsChanged,
            U::AckDeadline,
            U::Kafka("BrokerTransportFailure"),
            U::Encoding,
            U::Timeout,
            U::Panic,
        ];
        let mut all = vec![
            Answer::Received { events: 3 },
            Answer::NotFound,
            Answer::MethodNotAllowed,
            Answer::TooLarge,
        ];
        all.extend(Reason::ALL.map(Answer::Unauthorized));
        all.extend(unavailable.map(Answer::Unavailable));
        for answer in &all {
            match answer {
                Answer::Received { .. } | Answer::Unauthorized(_) | Answer::NotFound => {}
                Answer::MethodNotAllowed | Answer::TooLarge => {}
                Answer::Unavailable(why) => match why {
                    U::TooManyRequests | U::TooManyBytes | U::BodyBrokeOff | U::PartitionsUnknown => {}
                    U::PartitionsChanged
                    | U::AckDeadline
                    | U::Kafka(_)
                    | U::Encoding
                    | U::Timeout
                    | U::Panic => {}
                },
            }
        }
        all
    }

    /// G3.
    #[test]
    fn only_six_statuses_can_leave() {
        for answer in all() {
            let expected = match answer {
                Answer::Received { .. } => 200,
                Answer::Unauthorized(_) => 401,
                Answer::NotFound => 404,
                Answer::MethodNotAllowed => 405,
                Answer::TooLarge => 413,
                Answer::Unavailable(_) => 503,
            };
            assert_eq!(answer.response(false).status(), expected, "{answer:?}");
        }
    }

    /// G6.
    #[test]
    fn health_goes_first_in_a_drain() {
        assert_eq!(health(false).status(), 200);
        assert_eq!(health(true).status(), 503);
        assert_eq!(health(true).headers()[CONNECTION], "close");
    }

    #[test]
    fn reasons_tell_answers_apart() {
        let mut reasons = all().into_iter().map(Answer::reason).collect::<Vec<_>>();
        let count = reasons.len();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), count);
    }

    /// G6.
    #[test]
    fn a_draining_gateway_asks_every_client_to_connect_anew() {
        for answer in all() {
            assert_eq!(answer.response(true).headers()[CONNECTION], "close");
            assert!(!answer.response(false).headers().contains_key(CONNECTION));
        }
    }
}
