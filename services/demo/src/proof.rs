//! The proof: what the simulator sent against what the warehouse, the log and the simulated profiles hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use devkit::customerio::track::Identifier;
use schemas::topic::Topic;
use serde::Serialize;

use crate::count::{Counts, Ids, stored_ids};
use crate::topology::Topology;

/// The figures, as scripts read them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    /// Distinct outcomes that Customer.io sent.
    sent: u64,
    /// Webhooks answered 2xx, copies included.
    accepted: u64,
    /// Records in the raw topic.
    raw: u64,
    /// Distinct outcomes in the warehouse topic, read committed.
    unique: u64,
    /// Raw records that were copies.
    duplicates: u64,
    /// Dead letters, read committed.
    dead_lettered: u64,
    /// Rows in the warehouse.
    stored: u64,
    /// Rows that the warehouse refused as doubles.
    conflicts: u64,
    /// Distinct persons in the warehouse.
    customers: u64,
    /// Profiles that hold a suppression.
    suppressed: u64,
    /// Requests at the Track API.
    track_calls: u64,
    /// Times that the processor was killed and started again.
    restarts: u64,
    /// Whether the proof holds.
    ok: bool,
}

/// The figures, and what does not hold.
pub(crate) struct Proof {
    pub(crate) figures: Figures,
    faults: Vec<String>,
}

impl Proof {
    pub(crate) fn new(topology: &Topology, counts: &Counts) -> anyhow::Result<Self> {
        let sent: BTreeSet<String> =
            topology.schedule.outcomes().iter().map(|outcome| outcome.event_id.clone()).collect();
        let rows = stored_ids(&topology.warehouse)?;
        let published = topology.topics.published_ids()?;
        // The simulator gives each event an id of its own, so the events are what was sent.
        let events =
            |ids: &'_ [Ids]| -> BTreeSet<String> { ids.iter().map(|id| id.event_id.clone()).collect() };
        let stored = events(&rows);
        let published_events = events(&published);
        let unique: BTreeSet<&Ids> = published.iter().collect();
        let dead_lettered = topology.topics.count_committed(Topic::DeadLetter)?;
        let count = |length: usize| length as u64;
        let mut figures = Figures {
            sent: count(sent.len()),
            accepted: counts.accepted,
            raw: counts.raw,
            unique: count(unique.len()),
            duplicates: counts.raw.saturating_sub(count(unique.len())).saturating_sub(dead_lettered),
            dead_lettered,
            stored: count(rows.len()),
            conflicts: counts.conflicts,
            customers: counts.customers,
            suppressed: counts.suppressed_profiles,
            track_calls: counts.track_calls,
            restarts: counts.restarts,
            ok: false,
        };
        let mut faults = Vec::new();
        let mut holds = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        holds(stored == sent, differences("rows", &sent, &stored));
        holds(published_events == sent, differences("published outcomes", &sent, &published_events));
        let outcome_ids: BTreeSet<&str> = rows.iter().map(|row| row.outcome_id.as_str()).collect();
        holds(rows.len() == outcome_ids.len(), "the warehouse holds an outcome_id twice".to_owned());
        holds(rows.len() == stored.len(), "the warehouse holds an event under two outcome_ids".to_owned());
        holds(published.len() == unique.len(), "the warehouse topic holds an outcome twice".to_owned());
        holds(
            rows.iter().collect::<BTreeSet<_>>() == unique,
            "the rows' outcome_ids were not published".to_owned(),
        );
        holds(counts.conflicts == 0, format!("{} rows were refused as doubles", counts.conflicts));
        holds(dead_lettered == 0, format!("{dead_lettered} dead letters"));
        holds(counts.raw >= counts.accepted, "raw holds fewer records than were accepted: a loss".to_owned());
        let wrong = wrong_profiles(topology);
        holds(
            wrong.is_empty(),
            format!("{} profiles do not hold what was sent, such as {:?}", wrong.len(), wrong.first()),
        );
        let destroyed = topology.customerio.track().destroyed().len();
        holds(destroyed == 0, format!("{destroyed} profiles were destroyed"));
        figures.ok = faults.is_empty();
        Ok(Self { figures, faults })
    }

    pub(crate) fn holds(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { sent, stored, duplicates, conflicts, restarts, accepted, raw, .. } = self.figures;
        let sign = if sent == stored { '=' } else { '≠' };
        writeln!(
            f,
            "\n  sent {sent} {sign} stored {stored}, each outcome_id once: {accepted} webhooks accepted, {raw} records in raw, \
             {duplicates} duplicates dropped, {conflicts} conflicts, {restarts} crash"
        )?;
        if self.holds() {
            return write!(f, "  the proof holds: rows, published outcomes and profiles are what was sent");
        }
        self.faults.iter().try_for_each(|fault| writeln!(f, "  the proof FAILS: {fault}"))
    }
}

/// Whether everything sent has reached both ends, so that nothing is left to wait for.
pub(crate) fn has_arrived(topology: &Topology, counts: &Counts) -> bool {
    counts.stored >= topology.schedule.outcomes().len() as u64 && wrong_profiles(topology).is_empty()
}

/// Persons whose profile does not hold what was sent of them. Two facts are recounted here, simple enough to
/// need no oracle: how many complaints, and when the latest unsubscribe was.
fn wrong_profiles(topology: &Topology) -> Vec<String> {
    let mut complaints: BTreeMap<usize, u64> = BTreeMap::new();
    let mut unsubscribed: BTreeMap<usize, i64> = BTreeMap::new();
    for outcome in topology.schedule.outcomes() {
        let Some(person) = outcome.person else { continue };
        match (outcome.object_type, outcome.metric) {
            (Some("email"), "spammed") => *complaints.entry(person).or_default() += 1,
            (_, "unsubscribed") => {
                let latest = unsubscribed.entry(person).or_default();
                *latest = (*latest).max(outcome.timestamp_s);
            }
            _ => {}
        }
    }
    let people = topology.customerio.population().people();
    let track = topology.customerio.track();
    let is_wrong = |person: usize, attribute: &str, wanted: i64| {
        let profile = track.profile(&Identifier::cio_id(&people[person].cio_id))?;
        let found = profile.attribute(attribute).and_then(serde_json::Value::as_i64);
        (found != Some(wanted)).then(|| format!("{attribute} of {}", people[person].cio_id))
    };
    let complaints =
        complaints.into_iter().map(|(person, count)| (person, i64::try_from(count).unwrap_or(i64::MAX)));
    let complaints = complaints.filter_map(|(person, wanted)| is_wrong(person, "complaint_count", wanted));
    let unsubscribed =
        unsubscribed.into_iter().filter_map(|(person, wanted)| is_wrong(person, "unsubscribed_at", wanted));
    complaints.chain(unsubscribed).collect()
}

fn differences(what: &str, wanted: &BTreeSet<String>, found: &BTreeSet<String>) -> String {
    let missing = wanted.difference(found).count();
    let foreign = found.difference(wanted).count();
    format!("{what}: {missing} events are missing and {foreign} were never sent")
}
