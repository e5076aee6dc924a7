//! Whether a cluster keeps what the exactly-once protocol depends on: shown by trying, on topics and a group
//! of its own.
//!
//! [`check_claims`] tests every [`Claim`]. What it creates it removes again, also when it fails. `claim.rs`
//! lists the claims, `resource.rs` holds what is created for them, and `offset.rs`, `fence.rs`, `record.rs`
//! and `topic.rs` test them.

mod claim;
mod fence;
mod offset;
mod record;
mod report;
mod resource;
#[cfg(test)]
mod tests;
mod topic;

use kafka::Connection;

use crate::configuration::Common;
use claim::{CLAIMS, CheckedClaim, Claim, ClaimStatus, ProbeOutcome};
use resource::{Names, Resources};
use topic::Tombstone;

/// Tests the cluster, with topics of `replication` copies, and prints a table of what was seen. Returns
/// whether exactly-once processing is safe on the cluster.
///
/// # Errors
/// If no broker answers, or the probe's own topic cannot be created: then nothing was shown.
pub(crate) fn run(common: &Common, replication: u32) -> anyhow::Result<bool> {
    let progress = |step: &str| eprintln!("aftersend: {step}");
    let claims = check_claims(&common.connection, &common.prefix, replication, &progress)?;
    print!("{}", report::table(&claims));
    Ok(!claims.iter().any(CheckedClaim::is_fault))
}

/// Tests every claim. Topics, group and transactional ids get `prefix` before their names, as those of the
/// product have, so that the same permissions cover them. Takes about a minute, most of it to wait for the
/// log cleaner. `progress` receives a line per step.
fn check_claims(
    connection: &Connection,
    prefix: &str,
    replication: u32,
    progress: &dyn Fn(&str),
) -> anyhow::Result<Vec<CheckedClaim>> {
    let names = Names::random(prefix);
    progress(&format!("probing with topic {} and group {}, removed afterwards", names.topic, names.group));
    let resources = Resources::create(connection, names, replication)?;
    let mut results = Results::default();

    let compacted = topic::create_compacted(&resources, replication);
    let tombstone = match &compacted {
        Ok(_) => Tombstone::write(&resources).ok(),
        Err(_) => None,
    };
    results.add(&claim::COMPACTION, compacted);
    progress("trying transactions");
    // Claims that an error kept from being tested are reported with that error.
    let cut_short = try_transactions(&resources, &mut results).err();
    results.add(&claim::MARKERS, topic::markers_leave(&resources));
    results.add(&claim::TOPIC_IDS, topic::have_ids(&resources));
    results.add(&claim::BROKER, topic::broker_settings(&resources));
    if let Some(tombstone) = tombstone {
        progress("waiting for the log cleaner, a minute at most");
        results.add(&claim::TOMBSTONES, tombstone.await_gone(&resources));
    }
    progress("removing the probe's topics and its group");
    drop(resources);
    Ok(results.complete(cut_short.as_ref()))
}

fn try_transactions(resources: &Resources<'_>, results: &mut Results) -> anyhow::Result<()> {
    let producer = resources.producer(&resources.names.transactional)?;
    let mut members = fence::Members::join(resources, Some("first"))?;
    let first = members.membership()?;

    results.add(&claim::METADATA, offset::metadata_comes_back(resources, &producer, &first));
    offset::open(resources, &producer, &first)?;
    results.add(&claim::PENDING, offset::is_held_back(resources));
    results.add(&claim::LAST_STABLE, record::ends_differ(resources));
    producer.abort()?;
    results.add(&claim::ABORTED_OFFSET, offset::earlier_stands(resources));
    results.add(&claim::ABORTED_RECORD, record::only_committed(resources, record::ABORTED));
    results.add(&claim::APPEND_TIME, record::has_append_time(resources));
    let long = offset::metadata_of(resources, &producer, &first, offset::LONG_BYTES);
    results.add(&claim::LONG_METADATA, long);

    members.add(resources)?;
    results.add(&claim::GENERATION, fence::is_refused(resources, &producer, &first, fence::GENERATION));
    let current = members.membership()?;
    members.replace(resources)?;
    results.add(&claim::INSTANCE, fence::is_refused(resources, &producer, &current, fence::INSTANCE));
    drop(members);
    results.add(&claim::PRODUCER, fence::successor_fences(resources, fence::SAME));
    Ok(())
}

/// The claims that were tested so far.
#[derive(Default)]
struct Results(Vec<CheckedClaim>);

impl Results {
    fn add(&mut self, claim: &'static Claim, outcome: anyhow::Result<ProbeOutcome>) {
        self.0.push(CheckedClaim::new(claim, outcome));
    }

    /// One result per claim, in the claims' order. A claim that was not tested gets the reason.
    fn complete(mut self, cut_short: Option<&anyhow::Error>) -> Vec<CheckedClaim> {
        let reason = cut_short.map_or_else(|| "not reached".to_owned(), ToString::to_string);
        let mut result_of = |claim: &'static Claim| {
            let at = self.0.iter().position(|checked| std::ptr::eq(checked.claim, claim));
            let untested = || CheckedClaim { claim, status: ClaimStatus::Unknown, seen: reason.clone() };
            at.map_or_else(untested, |at| self.0.swap_remove(at))
        };
        CLAIMS.iter().map(|claim| result_of(claim)).collect()
    }
}
