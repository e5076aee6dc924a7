//! Whether a cluster keeps what the exactly-once protocol leans on: shown by trying, on topics and a group of its own.
//!
//! [`run`] tries every [`Claim`] and answers a [`Finding`] for each. What it makes it removes again, also where it fails. Read
//! `claim.rs` for what is claimed; `site.rs` for where it is tried; the others try: `offset.rs`, `fence.rs`, `record.rs`, `topic.rs`.

mod claim;
mod fence;
mod offset;
mod record;
mod site;
#[cfg(test)]
mod tests;
mod topic;

pub use claim::{Claim, Finding, Verdict};

use crate::{Connection, Error};
use claim::{CLAIMS, Tried};
use site::{Names, Site};
use topic::Tombstone;

/// Tries everything. Topics, group and transactional ids get `prefix` before their names, as those of the product have, so
/// that the same permissions cover them; topics get `replication` copies. Takes about a minute, most of it to wait for the log
/// cleaner; `progress` is told each step.
///
/// # Errors
/// Where no broker answers, or the probe's own topic can't be made: then nothing was shown.
pub fn run(
    connection: &Connection,
    prefix: &str,
    replication: u32,
    progress: &dyn Fn(&str),
) -> Result<Vec<Finding>, Error> {
    let names = Names::random(prefix);
    progress(&format!("probing with topic {} and group {}, removed afterwards", names.topic, names.group));
    let site = Site::make(connection, names, replication)?;
    let mut findings = Findings::default();

    let compacted = topic::make_compacted(&site, replication);
    let tombstone = match &compacted {
        Ok(_) => Tombstone::write(&site).ok(),
        Err(_) => None,
    };
    findings.add(&claim::COMPACTION, compacted);
    progress("trying transactions");
    // What an error cuts short is told below as not tried.
    let cut_short = try_transactions(&site, &mut findings).err();
    findings.add(&claim::TOPIC_IDS, topic::have_ids(&site));
    findings.add(&claim::BROKER, topic::broker_settings(&site));
    if let Some(tombstone) = tombstone {
        progress("waiting for the log cleaner, a minute at most");
        findings.add(&claim::TOMBSTONES, tombstone.await_gone(&site));
    }
    progress("removing the probe's topics and its group");
    drop(site);
    Ok(findings.complete(cut_short.as_ref()))
}

fn try_transactions(site: &Site<'_>, findings: &mut Findings) -> Result<(), Error> {
    let producer = site.producer(&site.names.transactional)?;
    let mut members = fence::Members::join(site, Some("first"))?;
    let first = members.metadata()?;

    findings.add(&claim::METADATA, offset::metadata_comes_back(site, &producer, &first));
    offset::open(site, &producer, &first)?;
    findings.add(&claim::PENDING, offset::is_held_back(site));
    findings.add(&claim::LAST_STABLE, record::ends_differ(site));
    offset::abort(&producer)?;
    findings.add(&claim::ABORTED_OFFSET, offset::earlier_stands(site));
    findings.add(&claim::ABORTED_RECORD, record::only_committed(site, record::ABORTED));
    findings.add(&claim::APPEND_TIME, record::has_append_time(site));
    findings.add(&claim::LONG_METADATA, offset::long_metadata_passes(site, &producer, &first));

    members.add(site)?;
    findings.add(&claim::GENERATION, fence::is_refused(site, &producer, &first, fence::GENERATION));
    let current = members.metadata()?;
    members.replace(site)?;
    findings.add(&claim::INSTANCE, fence::is_refused(site, &producer, &current, fence::INSTANCE));
    drop(members);
    findings.add(&claim::PRODUCER, fence::successor_fences(site, fence::SAME));
    Ok(())
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, claim: &'static Claim, tried: Result<Tried, Error>) {
        self.0.push(Finding::of(claim, tried));
    }

    /// One finding a claim, in the claims' order; what was not come to says why.
    fn complete(mut self, cut_short: Option<&Error>) -> Vec<Finding> {
        let why = cut_short.map_or_else(|| "not come to".to_owned(), Error::to_string);
        let mut found = |claim: &'static Claim| {
            let at = self.0.iter().position(|finding| std::ptr::eq(finding.claim, claim));
            let untried = || Finding { claim, verdict: Verdict::Unknown, seen: why.clone() };
            at.map_or_else(untried, |at| self.0.swap_remove(at))
        };
        CLAIMS.iter().map(|claim| found(claim)).collect()
    }
}
