//! What a request and its events are counted and logged as (E1).

use std::time::Duration;

use schemas::vocabulary::dead_letter_reason;
use tracing::{debug, error, warn};

use super::fallback::{Form, Outbound};
use crate::http::answer::Answer;
use crate::metric::{self, Counters};

impl Counters {
    /// Counts a request's answer, which left `elapsed` after the request's head.
    pub(super) fn count_answer(&self, answer: Answer, elapsed: Duration) {
        metrics::histogram!(metric::ANSWER_SECONDS).record(elapsed);
        let (status, reason) = (answer.status(), answer.reason());
        match answer {
            Answer::Received { .. } => return self.accepted.increment(1),
            Answer::TooLarge => error!(reason, "a webhook is larger than the hard cap and was refused"),
            Answer::Unavailable(why) if why.needs_a_key() => {
                warn!(cause = %why, "a webhook was answered 503");
            }
            // Anybody can cause the others, as often as they like. The counters show them.
            _ => debug!(reason, "a request was refused"),
        }
        let labels = [("status", status.as_str().to_owned()), ("reason", reason.to_owned())];
        metrics::counter!(metric::REFUSED, &labels).increment(1);
    }

    /// Counts the events of an accepted request.
    pub(super) fn count_events(&self, published: &[Outbound], oddities: &[&'static str]) {
        for event in published {
            let (outcome, reason) = match &event.form {
                Form::Raw => {
                    self.raw.increment(1);
                    continue;
                }
                Form::Stripped(_) => ("stripped", dead_letter_reason::TOO_LARGE),
                Form::DeadLetter(reason) | Form::DeadLetterHead(reason) => ("dead_letter", reason.code()),
            };
            warn!(outcome, reason, "a verified event is not in raw as it came");
            metrics::counter!(metric::EVENTS, "outcome" => outcome, "reason" => reason).increment(1);
        }
        for oddity in oddities {
            metrics::counter!(metric::ODDITIES, "oddity" => *oddity).increment(1);
        }
    }
}
