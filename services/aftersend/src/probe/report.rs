//! The table that `aftersend bootstrap --probe` prints.

use std::fmt::Write as _;

use super::claim::{CheckedClaim, ClaimStatus};

/// A line per claim. Below them, what it means that a claim was not shown to hold.
pub(super) fn table(claims: &[CheckedClaim]) -> String {
    let widest =
        claims.iter().map(|checked| checked.claim.statement.chars().count()).max().unwrap_or_default();
    let mut table = format!("{:<14}  {:<widest$}  seen\n", "", "tried");
    let mut meanings = String::new();
    for checked in claims {
        let claim = checked.claim;
        let status = word(checked);
        let _ = writeln!(table, "{status:<14}  {:<widest$}  {}", claim.statement, checked.seen);
        if checked.status != ClaimStatus::Holds {
            let weight = if claim.required { "required" } else { "advised" };
            let _ = writeln!(meanings, "- {} ({weight}): {}", claim.statement, claim.otherwise);
        }
    }
    if !meanings.is_empty() {
        let _ = write!(table, "\nwhere that is not so:\n{meanings}");
    }
    let _ = writeln!(table, "\n{}", conclusion(claims));
    table
}

fn word(checked: &CheckedClaim) -> &'static str {
    match checked.status {
        ClaimStatus::Holds => "holds",
        ClaimStatus::Broken => "DOES NOT HOLD",
        ClaimStatus::Unknown => "not shown",
    }
}

fn conclusion(claims: &[CheckedClaim]) -> String {
    match claims.iter().filter(|checked| checked.is_fault()).count() {
        0 => "this cluster keeps what exactly-once processing requires".to_owned(),
        faults => format!(
            "exactly-once processing is not safe on this cluster: {faults} of what it requires not shown"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::claim::Claim;

    static REQUIRED: Claim = Claim { statement: "it holds", otherwise: "events are lost", required: true };
    static ADVISED: Claim = Claim { statement: "it may", otherwise: "look at it", required: false };

    fn checked(claim: &'static Claim, status: ClaimStatus) -> CheckedClaim {
        CheckedClaim { claim, status, seen: "so it was".to_owned() }
    }

    #[test]
    fn what_does_not_hold_says_what_that_means() {
        let good = table(&[checked(&REQUIRED, ClaimStatus::Holds), checked(&ADVISED, ClaimStatus::Unknown)]);
        assert!(good.contains("holds           it holds  so it was\n"), "{good}");
        assert!(good.contains("not shown       it may    so it was\n"), "{good}");
        assert!(good.contains("- it may (advised): look at it\n"), "{good}");
        assert!(good.ends_with("\nthis cluster keeps what exactly-once processing requires\n"), "{good}");

        let bad = table(&[checked(&REQUIRED, ClaimStatus::Broken)]);
        assert!(bad.contains("DOES NOT HOLD   it holds  so it was\n"), "{bad}");
        assert!(bad.contains("- it holds (required): events are lost\n"), "{bad}");
        assert!(bad.contains("not safe on this cluster: 1 of what it requires"), "{bad}");
    }
}
