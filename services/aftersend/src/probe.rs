//! `aftersend bootstrap --probe`: what the cluster keeps of what the protocol leans on, as a table.

use std::fmt::Write as _;

use kafka::probe::{Finding, Verdict};

use crate::configuration::Common;

/// Tries the cluster, with topics of so many copies, and prints what was seen; says whether exactly-once processing may lean on it.
pub(crate) fn run(common: &Common, replication: u32) -> anyhow::Result<bool> {
    let progress = |step: &str| eprintln!("aftersend: {step}");
    let findings = kafka::probe::run(&common.connection, &common.prefix, replication, &progress)?;
    print!("{}", table(&findings));
    Ok(!findings.iter().any(Finding::is_fault))
}

/// A line for each claim, and below them what those that were not shown to hold mean.
fn table(findings: &[Finding]) -> String {
    let widest =
        findings.iter().map(|finding| finding.claim.statement.chars().count()).max().unwrap_or_default();
    let mut table = format!("{:<14}  {:<widest$}  seen\n", "", "tried");
    let mut meanings = String::new();
    for finding in findings {
        let (claim, verdict) = (finding.claim, word(finding));
        let _ = writeln!(table, "{verdict:<14}  {:<widest$}  {}", claim.statement, finding.seen);
        if finding.verdict != Verdict::Holds {
            let weight = if claim.required { "required" } else { "advised" };
            let _ = writeln!(meanings, "- {} ({weight}): {}", claim.statement, claim.otherwise);
        }
    }
    if !meanings.is_empty() {
        let _ = write!(table, "\nwhere that is not so:\n{meanings}");
    }
    let _ = writeln!(table, "\n{}", conclusion(findings));
    table
}

fn word(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Holds => "holds",
        Verdict::Broken => "DOES NOT HOLD",
        Verdict::Unknown => "not shown",
    }
}

fn conclusion(findings: &[Finding]) -> String {
    match findings.iter().filter(|finding| finding.is_fault()).count() {
        0 => "this cluster keeps what exactly-once processing requires".to_owned(),
        faults => format!(
            "exactly-once processing is not safe on this cluster: {faults} of what it requires not shown"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka::probe::Claim;

    static REQUIRED: Claim = Claim { statement: "it holds", otherwise: "events are lost", required: true };
    static ADVISED: Claim = Claim { statement: "it may", otherwise: "look at it", required: false };

    fn finding(claim: &'static Claim, verdict: Verdict) -> Finding {
        Finding { claim, verdict, seen: "so it was".to_owned() }
    }

    #[test]
    fn what_does_not_hold_says_what_that_means() {
        let good = table(&[finding(&REQUIRED, Verdict::Holds), finding(&ADVISED, Verdict::Unknown)]);
        assert!(good.contains("holds           it holds  so it was\n"), "{good}");
        assert!(good.contains("not shown       it may    so it was\n"), "{good}");
        assert!(good.contains("- it may (advised): look at it\n"), "{good}");
        assert!(good.ends_with("\nthis cluster keeps what exactly-once processing requires\n"), "{good}");

        let bad = table(&[finding(&REQUIRED, Verdict::Broken)]);
        assert!(bad.contains("DOES NOT HOLD   it holds  so it was\n"), "{bad}");
        assert!(bad.contains("- it holds (required): events are lost\n"), "{bad}");
        assert!(bad.contains("not safe on this cluster: 1 of what it requires"), "{bad}");
    }
}
