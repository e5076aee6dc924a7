//! One request to its end: sent, and sent again, until each of its operations is accepted, refused for good,
//! or put back.

mod pace;
mod vendor_health;

use std::sync::Arc;
use std::time::{Duration, Instant};

use customerio::{Answer, Client, Encoded, Refusal, Reply};
use delivery::sink::{Ending, Rejection};
use delivery::{Backoff, Intake, Ticket};
use lifecycle::Stop;
use schemas::vocabulary::dead_letter_reason;
use tracing::{info, warn};

use crate::plan::Operation;
use crate::{metric, outcome};
pub(crate) use pace::Pace;
pub(crate) use vendor_health::VendorHealth;

/// An operation on its way. The ticket says whether its records are still this member's.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) operation: Operation,
    pub(crate) ticket: Ticket,
}

/// An operation and how it ended.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) operation: Operation,
    pub(crate) ending: Ending,
}

/// Sends requests. Shared by all that are in flight.
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) backoff: Backoff,
    /// How long to wait before refused credentials are tried again.
    pub(crate) recheck_after: Duration,
    /// How long an answer is waited for once the sink is stopping.
    pub(crate) drain_timeout: Duration,
    pub(crate) pace: Pace,
    pub(crate) health: VendorHealth,
    pub(crate) intake: Arc<Intake>,
    pub(crate) stop: Stop,
}

impl Sender {
    /// Sends one request. Every operation comes back exactly once, with its ending.
    pub(crate) async fn send(&self, request: Vec<InFlight>) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(request.len());
        let mut parts = vec![request];
        let mut failures = 0;
        while let Some(part) = parts.pop() {
            let (held, gone): (Vec<InFlight>, Vec<InFlight>) =
                part.into_iter().partition(|in_flight| self.intake.holds(&in_flight.ticket));
            end(&mut sent, gone, &Ending::PutBack);
            if held.is_empty() {
                continue;
            }
            match self.attempt(&held, &mut failures).await {
                Attempt::Again => parts.push(held),
                Attempt::Abandoned => end(&mut sent, held, &Ending::PutBack),
                Attempt::Accepted => end(&mut sent, held, &Ending::Done(outcome::DELIVERED)),
                Attempt::PartlyRefused(refusals) => end_partly(&mut sent, held, &refusals),
                Attempt::Refused(rejection) if held.len() == 1 => {
                    end(&mut sent, held, &Ending::Rejected(rejection));
                }
                Attempt::Refused(_) => parts.extend(halves(held)),
            }
        }
        sent
    }

    /// Sends once, and waits where another try is due.
    async fn attempt(&self, held: &[InFlight], failures: &mut u32) -> Attempt {
        if self.stop.requested() {
            return Attempt::Abandoned;
        }
        self.pace.turn().await;
        let operations: Vec<&Encoded> = held.iter().map(|in_flight| &in_flight.operation.encoded).collect();
        let started = Instant::now();
        let reply = tokio::select! {
            reply = self.client.batch(&operations) => reply,
            () = self.out_of_time() => return Attempt::Abandoned,
        };
        metric::request(&reply.status, started.elapsed(), held.len());
        self.handle_reply(reply, failures).await
    }

    /// `failures` counts the failures of this request in a row. Failures of other requests are no reason to
    /// wait longer.
    async fn handle_reply(&self, reply: Reply, failures: &mut u32) -> Attempt {
        let wait = match reply.answer {
            Answer::Retry { after } => {
                *failures = failures.saturating_add(1);
                self.health.failed(&reply.status, *failures);
                self.backoff.random_wait(*failures).max(after.unwrap_or_default())
            }
            Answer::Stop => {
                self.health.refused(&reply.status);
                warn!(status = %reply.status, "track api refuses this sink: check credentials, region and url");
                self.recheck_after
            }
            definite => {
                *failures = 0;
                if self.health.answered() {
                    info!("track api answers again");
                }
                return Attempt::from_answer(definite);
            }
        };
        metric::retry(&reply.status);
        tokio::select! {
            () = tokio::time::sleep(wait) => Attempt::Again,
            () = self.stop.wait() => Attempt::Abandoned,
        }
    }

    /// Resolves when the sink has been stopping for as long as an answer may take then.
    async fn out_of_time(&self) {
        self.stop.wait().await;
        tokio::time::sleep(self.drain_timeout).await;
    }
}

/// How one try ended.
enum Attempt {
    Accepted,
    PartlyRefused(Vec<Refusal>),
    Refused(Rejection),
    Again,
    Abandoned,
}

impl Attempt {
    fn from_answer(answer: Answer) -> Self {
        match answer {
            Answer::Done => Self::Accepted,
            Answer::Partly(refusals) => Self::PartlyRefused(refusals),
            Answer::Refused(refusal) => Self::Refused(rejection(&refusal)),
            Answer::TooLarge => {
                Self::Refused(Rejection::explained(dead_letter_reason::VENDOR_TOO_LARGE, "answered 413"))
            }
            Answer::Retry { .. } | Answer::Stop => Self::Again,
        }
    }
}

fn rejection(refusal: &Refusal) -> Rejection {
    let detail = format!("reason {}, field {}", refusal.reason, refusal.field);
    Rejection::explained(dead_letter_reason::VENDOR_REFUSED, detail)
}

fn end(sent: &mut Vec<Sent>, in_flight: Vec<InFlight>, ending: &Ending) {
    let ended = |InFlight { operation, .. }| Sent { operation, ending: ending.clone() };
    sent.extend(in_flight.into_iter().map(ended));
}

/// The refused operations are named by their place in the request; all others were accepted.
fn end_partly(sent: &mut Vec<Sent>, in_flight: Vec<InFlight>, refusals: &[Refusal]) {
    for (index, InFlight { operation, .. }) in in_flight.into_iter().enumerate() {
        let ending = match refusals.iter().find(|refusal| refusal.index == index) {
            Some(refusal) => Ending::Rejected(rejection(refusal)),
            None => Ending::Done(outcome::DELIVERED),
        };
        sent.push(Sent { operation, ending });
    }
}

/// The first half comes last, so that it is sent first.
fn halves(mut in_flight: Vec<InFlight>) -> [Vec<InFlight>; 2] {
    let second = in_flight.split_off(in_flight.len() / 2);
    [second, in_flight]
}
