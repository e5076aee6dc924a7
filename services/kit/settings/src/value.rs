//! From text to a typed value. Every source holds text, so each type is parsed in one place.

pub mod duration;
pub(crate) mod environment;
pub(crate) mod secret;
pub(crate) mod size;

use std::cmp::Ordering;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A type that a setting can have.
pub trait Value: Sized {
    /// What is accepted, for the fault: `a duration such as 250ms, 3s or 30d`.
    const SHAPE: &'static str;

    /// Whether a value must never be shown.
    const SECRET: bool = false;

    /// Reads a value.
    ///
    /// # Errors
    /// Why the text isn't one, as a fragment. It never repeats the text, which may be a secret: the reader
    /// quotes a public one.
    fn parse(text: &str) -> Result<Self, String>;

    /// Compares the value with a bound of its setting. None where the type has no order: its settings have no
    /// bounds.
    fn compare(&self, bound: &Self) -> Option<Ordering> {
        let _ = bound;
        None
    }
}

macro_rules! whole_number {
    ($($number:ty: $shape:literal),+) => {$(
        impl Value for $number {
            const SHAPE: &'static str = $shape;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|err: std::num::ParseIntError| err.to_string())
            }

            fn compare(&self, bound: &Self) -> Option<Ordering> {
                Some(self.cmp(bound))
            }
        }
    )+};
}

whole_number! {
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number from 0 to 18446744073709551615",
    usize: "a whole number of 0 or more"
}

impl Value for f64 {
    const SHAPE: &'static str = "a finite number such as 0.5";

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) => Err("not finite".to_owned()),
            Err(err) => Err(err.to_string()),
        }
    }

    fn compare(&self, bound: &Self) -> Option<Ordering> {
        self.partial_cmp(bound)
    }
}

impl Value for bool {
    const SHAPE: &'static str = "true or false";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "neither of the two".to_owned())
    }
}

impl Value for String {
    const SHAPE: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for PathBuf {
    const SHAPE: &'static str = "a path";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
    }
}

impl Value for SocketAddr {
    const SHAPE: &'static str = "an address and port such as 127.0.0.1:8080, localhost:8080 or [::]:8080";

    /// The only host name is `localhost`, which is 127.0.0.1: reading settings resolves no names.
    fn parse(text: &str) -> Result<Self, String> {
        let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        numeric.as_deref().unwrap_or(text).parse().map_err(|err: std::net::AddrParseError| err.to_string())
    }
}

/// A comma-separated list. The empty text is the empty list. An empty item is a fault.
impl<T: Value> Value for Vec<T> {
    const SHAPE: &'static str = "a comma-separated list";
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        text.split(',').map(str::trim).enumerate().map(|(index, item)| parse_item(index + 1, item)).collect()
    }
}

fn parse_item<T: Value>(number: usize, item: &str) -> Result<T, String> {
    if item.is_empty() {
        return Err(format!("item {number} is empty"));
    }
    T::parse(item).map_err(|why| format!("item {number} isn't {}: {why}", T::SHAPE))
}

/// Splits `250ms` into its number and its unit.
///
/// # Errors
/// A text that doesn't begin with a digit, or a number above what 128 bits hold.
fn split_unit(text: &str) -> Result<(u128, &str), String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    if digits.is_empty() {
        return Err("it doesn't begin with a whole number".to_owned());
    }
    let number = digits.parse().map_err(|_| "the number is too large".to_owned())?;
    Ok((number, unit.trim_start()))
}

/// The largest unit that `amount` is a multiple of, and how many of it. `units` ascend and begin with 1.
fn largest_unit<'a>(amount: u128, units: &[(&'a str, u128)]) -> (u128, &'a str) {
    let divides = |(_, size): &&(&str, u128)| amount != 0 && amount.is_multiple_of(*size);
    let (unit, size) = units.iter().rev().find(divides).unwrap_or(&units[0]);
    (amount / size, unit)
}

#[cfg(test)]
mod tests {
    use super::Value;
    use std::net::SocketAddr;

    #[test]
    fn a_listening_address_needs_its_port() {
        assert_eq!(SocketAddr::parse("localhost:8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(SocketAddr::parse("[::]:0"), Ok(SocketAddr::from(([0_u16; 8], 0))));
        for text in ["", "8080", ":8080", "127.0.0.1", "gateway:8080", "localhost:99999"] {
            assert!(SocketAddr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_trims_its_items_and_names_the_faulty_one() {
        assert_eq!(Vec::<u16>::parse(" 1, 2 ,3"), Ok(vec![1, 2, 3]));
        assert_eq!(Vec::<u16>::parse(""), Ok(vec![]));
        assert_eq!(Vec::<u16>::parse("1,,3"), Err("item 2 is empty".to_owned()));
        assert!(Vec::<u16>::parse("1,x").unwrap_err().starts_with("item 2 isn't a whole number"));
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        u16::parse("65536").unwrap_err();
        u32::parse("-1").unwrap_err();
        f64::parse("inf").unwrap_err();
        bool::parse("yes").unwrap_err();
    }
}
