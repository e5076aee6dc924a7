//! A customer's state as bytes: `format, policy version, postcard`. Upgraded on read: a new format adds an arm here.

use thiserror::Error;

use crate::domain::customer::Customer;

const FORMAT: u8 = 1;

/// The number of [`POLICY_VERSION`](crate::domain::suppression::POLICY_VERSION), as it stands in values.
const POLICY: u16 = 1;

/// Room for the value of nearly every customer, in bytes.
const BYTES_USUAL: usize = 256;

/// A value that this version can't read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// A newer version wrote it.
    #[error("customer state has format {0}, which this version does not know: upgrade the processor")]
    UnknownFormat(u8),
    /// It is damaged.
    #[error(
        "customer state of {length} bytes does not read: stop, delete the partition's state folder, start"
    )]
    Damaged {
        /// Length, in bytes.
        length: usize,
    },
}

/// The bytes of `customer`.
#[must_use]
pub fn encode(customer: &Customer<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES_USUAL);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&POLICY.to_be_bytes());
    postcard::to_extend(customer, bytes).expect("a customer has only plain fields")
}

/// The customer of `bytes`, whose texts stay where they are.
///
/// # Errors
/// See [`Unreadable`].
pub fn decode(bytes: &[u8]) -> Result<Customer<'_>, Unreadable> {
    match bytes {
        [FORMAT, _, _, body @ ..] => {
            postcard::from_bytes(body).map_err(|_| Unreadable::Damaged { length: bytes.len() })
        }
        [format, ..] => Err(Unreadable::UnknownFormat(*format)),
        [] => Err(Unreadable::Damaged { length: 0 }),
    }
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
        assert_eq!(hex, include_str!("value_v1.hex").trim());
        assert_eq!(decode(&bytes), Ok(customer));
    }

    #[test]
    fn another_format_is_refused_and_damage_is_told_from_it() {
        assert_eq!(decode(&[9, 0, 0]), Err(Unreadable::UnknownFormat(9)));
        assert_eq!(decode(&[FORMAT, 0, 1, 0xff]), Err(Unreadable::Damaged { length: 4 }));
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
