//! A customer's state as stored bytes, on disk and in the state changelog.
//!
//! ```text
//!  format (u8) ‖ policy (u16, big-endian) ‖ postcard of the format's own structs
//! ```
//!
//! Each format has a file with its own structs and the conversions from and to the domain's `Customer`. So
//! the domain can change without changing stored bytes. A value is upgraded when it is read: a new format
//! adds a file, and an arm in `decode`. Formats that were ever written stay readable.

use crate::domain::customer::Customer;
use crate::domain::decide::suppression;

mod customer_v1;
pub(crate) mod stored;

use customer_v1::CustomerV1;
pub use stored::{FormatLevel, Unreadable};

/// The format that is written.
const FORMAT: u8 = customer_v1::FORMAT;

/// What a value is, as errors name it.
const WHAT: &str = "customer state";

/// Room for the value of nearly every customer, in bytes.
const BYTES_USUAL: usize = 256;

/// The bytes of `customer`.
#[must_use]
pub(crate) fn encode(customer: &Customer<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES_USUAL);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&suppression::POLICY_NUMBER.to_be_bytes());
    postcard::to_extend(&CustomerV1::from(*customer), bytes).expect("a customer has only plain fields")
}

/// The customer of `bytes`. Its texts are borrowed from them.
///
/// # Errors
/// See [`Unreadable`].
pub(crate) fn decode(bytes: &[u8]) -> Result<Customer<'_>, Unreadable> {
    let stored = match bytes {
        [customer_v1::FORMAT, _, _, body @ ..] => stored::whole::<CustomerV1<'_>>(body).map(Customer::from),
        _ => None,
    };
    stored.ok_or_else(|| stored::unreadable(WHAT, FORMAT, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::Mark;

    fn mark() -> Mark<'static> {
        let token = Some("t0.AAAAAAAAAAAAAAAAAAAAAA");
        let event_id = "01E4C4CT6YDC7Y5M7FE1GWWPQJ";
        Mark { at_ms: 1_767_225_600_000, event_id, metric: "bounced", delivery_id: Some("dgEX=="), token }
    }

    /// Values outlive the version that wrote them: a changed byte here breaks disks and changelogs.
    #[test]
    fn the_bytes_of_a_value_stay_as_they_are() {
        let customer =
            Customer { revision: 3, bounce: Some(mark()), complaint_count: 1, ..Customer::default() };
        let bytes = encode(&customer);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("customer_v1.hex").trim());
        assert_eq!(decode(&bytes), Ok(customer));
    }

    /// Each field has its own place: what is stored as one comes back as no other.
    #[test]
    fn every_field_comes_back_as_it_was() {
        let mark_at = |at_ms| Some(Mark { at_ms, ..mark() });
        let customer = Customer {
            revision: 1,
            last_email: mark_at(2),
            bounce: mark_at(3),
            clear: mark_at(4),
            complaint: mark_at(5),
            complaint_count: 6,
            unsubscribe: mark_at(7),
            subscribe: mark_at(8),
            click_at: Some(9),
            engaged_at: Some(10),
            tombstoned_ms: Some(11),
        };
        assert_eq!(decode(&encode(&customer)), Ok(customer));
    }

    #[test]
    fn another_format_is_refused_and_damage_is_told_from_it() {
        assert_eq!(decode(&[9, 0, 0]), Err(Unreadable::UnknownFormat { what: WHAT, format: 9 }));
        assert_eq!(decode(&[FORMAT, 0, 1, 0xff]), Err(Unreadable::Damaged { what: WHAT, length: 4 }));
        assert_eq!(decode(&[]), Err(Unreadable::Damaged { what: WHAT, length: 0 }));
    }

    /// A version that appends a field without a new format would see the field dropped by the versions before
    /// it.
    #[test]
    fn a_trailing_field_is_refused() {
        let bytes = [&encode(&Customer::default())[..], &[0]].concat();
        assert_eq!(decode(&bytes), Err(Unreadable::Damaged { what: WHAT, length: bytes.len() }));
    }

    #[test]
    fn a_busy_customer_stays_small() {
        let marked = Some(mark());
        let customer = Customer {
            revision: 40,
            last_email: marked,
            bounce: marked,
            clear: marked,
            ..Customer::default()
        };
        assert!(encode(&customer).len() < 300, "{}", encode(&customer).len());
    }
}
