//! One request to its end: sent, and sent again, until each of its operations is accepted, refused for good, or put back.

mod pace;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use customerio::{Answer, Client, Encoded, Refusal, Reply};
use delivery::{Backoff, Ticket};
use lifecycle::Stop;
use tracing::{info, warn};

use crate::desk::Desk;
use crate::metric;
use crate::plan::Operation;
pub(crate) use pace::Pace;
pub(crate) use trouble::Trouble;

/// An operation on its way, and the permission under which it goes.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) operation: Operation,
    pub(crate) ticket: Ticket,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The vendor accepted it.
    Delivered,
    /// The vendor will never accept it.
    Refused { reason: &'static str, detail: String },
    /// Not known: the partition is another's now, or the sink is stopping. Its records will be read again.
    PutBack,
}

/// Ships requests. Shared by all that are in flight.
pub(crate) struct Courier {
    pub(crate) client: Client,
    pub(crate) backoff: Backoff,
    /// How long to leave a vendor alone who refuses our credentials.
    pub(crate) recheck_after: Duration,
    /// How long an answer is waited for once the sink is stopping.
    pub(crate) drain_timeout: Duration,
    pub(crate) pace: Pace,
    pub(crate) trouble: Arc<Trouble>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) stop: Stop,
}

impl Courier {
    /// Ships one request. Every operation comes back exactly once, with its verdict.
    pub(crate) async fn ship(&self, request: Vec<Parcel>) -> Vec<(Operation, Verdict)> {
        let mut ended = Vec::with_capacity(request.len());
        let mut parts = vec![request];
        let mut failures = 0;
        while let Some(part) = parts.pop() {
            let (held, gone): (Vec<Parcel>, Vec<Parcel>) =
                part.into_iter().partition(|parcel| self.desk.holds(&parcel.ticket));
            end(&mut ended, gone, &Verdict::PutBack);
            if held.is_empty() {
                continue;
            }
            match self.attempt(&held, &mut failures).await {
                Attempt::Again => parts.push(held),
                Attempt::Abandoned => end(&mut ended, held, &Verdict::PutBack),
                Attempt::Accepted => end(&mut ended, held, &Verdict::Delivered),
                Attempt::Partly(refusals) => settle(&mut ended, held, &refusals),
                Attempt::Refused(verdict) if held.len() == 1 => end(&mut ended, held, &verdict),
                Attempt::Refused(_) => parts.extend(halves(held)),
            }
        }
        ended
    }

    /// Sends once, and waits where another try is due.
    async fn attempt(&self, held: &[Parcel], failures: &mut u32) -> Attempt {
        if self.stop.requested() {
            return Attempt::Abandoned;
        }
        self.pace.turn().await;
        let operations: Vec<&Encoded> = held.iter().map(|parcel| &parcel.operation.encoded).collect();
        let started = Instant::now();
        let reply = tokio::select! {
            reply = self.client.batch(&operations) => reply,
            () = self.out_of_time() => return Attempt::Abandoned,
        };
        metric::request(&reply.status, started.elapsed(), held.len());
        self.heed(reply, failures).await
    }

    /// `failures` counts this request's own, in a row: those of the others beside it are no reason to wait longer.
    async fn heed(&self, reply: Reply, failures: &mut u32) -> Attempt {
        let wait = match reply.answer {
            Answer::Retry { after } => {
                *failures = failures.saturating_add(1);
                self.trouble.failed(&reply.status, *failures);
                self.backoff.random_wait(*failures).max(after.unwrap_or_default())
            }
            Answer::Stop => {
                self.trouble.refused(&reply.status);
                warn!(status = %reply.status, "track api refuses this sink: check credentials, region and url");
                self.recheck_after
            }
            definite => {
                *failures = 0;
                if self.trouble.clear() {
                    info!("track api answers again");
                }
                return Attempt::of(definite);
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
    Partly(Vec<Refusal>),
    Refused(Verdict),
    Again,
    Abandoned,
}

impl Attempt {
    fn of(answer: Answer) -> Self {
        match answer {
            Answer::Done => Self::Accepted,
            Answer::Partly(refusals) => Self::Partly(refusals),
            Answer::Refused(refusal) => Self::Refused(refused(&refusal)),
            Answer::TooLarge => Self::Refused(Verdict::Refused {
                reason: "vendor_too_large",
                detail: "answered 413".to_owned(),
            }),
            Answer::Retry { .. } | Answer::Stop => Self::Again,
        }
    }
}

fn refused(refusal: &Refusal) -> Verdict {
    Verdict::Refused {
        reason: "vendor_refused",
        detail: format!("reason {}, field {}", refusal.reason, refusal.field),
    }
}

fn end(ended: &mut Vec<(Operation, Verdict)>, parcels: Vec<Parcel>, verdict: &Verdict) {
    ended.extend(parcels.into_iter().map(|parcel| (parcel.operation, verdict.clone())));
}

/// The refused by their place in the request, all others delivered.
fn settle(ended: &mut Vec<(Operation, Verdict)>, parcels: Vec<Parcel>, refusals: &[Refusal]) {
    for (index, parcel) in parcels.into_iter().enumerate() {
        let refusal = refusals.iter().find(|refusal| refusal.index == index);
        ended.push((parcel.operation, refusal.map_or(Verdict::Delivered, refused)));
    }
}

/// The first half last, so that it is sent first.
fn halves(mut parcels: Vec<Parcel>) -> [Vec<Parcel>; 2] {
    let second = parcels.split_off(parcels.len() / 2);
    [second, parcels]
}
