//! The macro that declares settings, and what its expansion calls.

use crate::{Field, Reader, Value};

/// What the environment variables of settings begin with.
pub(crate) const PREFIX: &str = "AFTERSEND_";

/// Declares a struct of settings: each entry is the struct's field, the setting, its row in the table and how
/// it is read.
///
/// ```
/// use std::time::Duration;
/// use settings::{ByteSize, Fault, Reader, Secret, print_duration};
///
/// settings::declare! {
///     /// How the sink reads.
///     #[derive(Debug)]
///     pub struct Settings in "sink", checked by relate {
///         /// Consumer group of this sink.
///         pub group: String = "aftersend-sink",
///         /// Largest number of records in one batch.
///         pub batch_records: usize = "2000" { least: "1", most: "100000" },
///         /// Largest size of one batch.
///         pub batch_bytes: u64 as ByteSize = "16MiB",
///         /// How long a batch waits to fill.
///         pub batch_wait: Duration = "50ms" { env: "AFTERSEND_WAIT" },
///         /// Password of the target. None is sent where this is not set.
///         pub password: Option<Secret>,
///     }
/// }
///
/// impl Settings {
///     fn relate(&self, reader: &mut Reader) {
///         reader.require(self.batch_wait < Duration::from_secs(60), || {
///             Fault::new(Self::batch_wait, print_duration(self.batch_wait), "less than 1m", "lower it")
///         });
///     }
/// }
///
/// let mut reader = Reader::new(Settings::FIELDS, None, [("AFTERSEND_WAIT".to_owned(), "1s".to_owned())]);
/// let settings = Settings::read(&mut reader).expect("no setting is required");
/// assert_eq!(reader.finish(), Ok(()));
/// assert_eq!((settings.batch_wait, settings.batch_bytes), (Duration::from_secs(1), 16 << 20));
/// assert_eq!(Settings::batch_records.env, "AFTERSEND_SINK_BATCH_RECORDS");
/// ```
///
/// - The **key** is the section and the field's name. Without `in "section"` it is the name alone.
/// - The **variable** is `AFTERSEND_` and the key in upper case, with `_` for `.`.
/// - The **text** is the field's documentation.
/// - The **type** is a [`Value`], or an `Option` of one for a setting that may be absent. A setting without a
///   default and without an `Option` is required. `A as B` reads a `B` and keeps it as an `A`, which is
///   `From<B>`. A setting is secret where its type is.
/// - The **options** in braces are methods of [`Field`]: `env`, `key`, `aliases`, `least`, `most`, `because`,
///   `mend`.
/// - `checked by NAME` names a method `fn(&self, &mut Reader)` for what settings must be to each other.
/// - `with { … }` after the struct's body adds fields that are read in another way, each by the list of the
///   settings that it reads and a function `fn(&mut Reader) -> Option<_>`: a nested struct of settings, a map
///   or a list.
///
/// The expansion has `Settings::FIELDS` for the reader's catalogue, `Settings::read`, and for each setting a
/// constant of the field's name, such as `Settings::batch_wait`, for the faults of a check.
#[macro_export]
macro_rules! declare {
    (@prefix $prefix:expr;
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(, checked by $check:ident)? {
            $(
                $(#[doc = $doc:literal])+
                $field_vis:vis $field:ident: $kind:ty $(as $read:ty)? $(= $default:literal)?
                $({ $($option:ident: $value:expr),* $(,)? })?
            ),* $(,)?
        }
        $(with {
            $(
                $(#[$part_meta:meta])+
                $part_vis:vis $part:ident: $part_kind:ty = $part_fields:expr, $part_read:expr;
            )*
        })?
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[doc = $doc])+ $field_vis $field: $kind,)*
            $($($(#[$part_meta])+ $part_vis $part: $part_kind,)*)?
        }

        #[allow(non_upper_case_globals, reason = "a setting's constant is named as its field is")]
        impl $name {
            $(
                #[doc = concat!("The setting `", $prefix, stringify!($field), "`.")]
                $vis const $field: &'static $crate::Field = {
                    const KEY: &str = concat!($prefix, stringify!($field));
                    const ENV: [u8; $crate::declare::variable_len(KEY)] = $crate::declare::variable(KEY);
                    const FIELD: $crate::Field =
                        $crate::Field::new(KEY, $crate::declare::text(&ENV), concat!($($doc),+))
                            .secrecy(<$crate::read_as!($kind $(, $read)?) as $crate::declare::Setting>::SECRET)
                            $(.default($default))?
                            $($(.$option($value))*)?;
                    &FIELD
                };
            )*

            /// Every setting that [`Self::read`] reads.
            $vis const FIELDS: &'static [&'static $crate::Field] = {
                const OWN: &[&$crate::Field] = &[$($name::$field),*];
                &$crate::declare::join::<{ OWN.len() $($(+ $part_fields.len())*)? }>(&[OWN, $($($part_fields),*)?])
            };

            /// Reads the settings. None means that the reader recorded a fault.
            $vis fn read(reader: &mut $crate::Reader) -> Option<Self> {
                $(
                    let $field = <$crate::read_as!($kind $(, $read)?) as $crate::declare::Setting>::read(
                        reader,
                        Self::$field,
                    );
                )*
                $($(let $part: Option<$part_kind> = $part_read(reader);)*)?
                let settings = Self {
                    $($field: <$kind as From<$crate::read_as!($kind $(, $read)?)>>::from($field?),)*
                    $($($part: $part?,)*)?
                };
                $(settings.$check(reader);)?
                Some(settings)
            }
        }
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident in $section:literal $($rest:tt)*) => {
        $crate::declare! { @prefix concat!($section, "."); $(#[$meta])* $vis struct $name $($rest)* }
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident $($rest:tt)*) => {
        $crate::declare! { @prefix ""; $(#[$meta])* $vis struct $name $($rest)* }
    };
}

/// The type that a field's text is read as.
#[doc(hidden)]
#[macro_export]
macro_rules! read_as {
    ($kind:ty) => {
        $kind
    };
    ($kind:ty, $read:ty) => {
        $read
    };
}

/// A field's type: a value, or an optional one.
pub trait Setting: Sized {
    /// Whether the value must never be shown.
    const SECRET: bool;

    /// Reads the field. None means that the reader recorded a fault.
    fn read(reader: &mut Reader, field: &'static Field) -> Option<Self>;
}

impl<T: Value> Setting for T {
    const SECRET: bool = T::SECRET;

    fn read(reader: &mut Reader, field: &'static Field) -> Option<T> {
        reader.read(field)
    }
}

impl<T: Value> Setting for Option<T> {
    const SECRET: bool = T::SECRET;

    fn read(reader: &mut Reader, field: &'static Field) -> Option<Option<T>> {
        reader.optional(field)
    }
}

/// The length of the environment variable's name for `key`.
pub const fn variable_len(key: &str) -> usize {
    PREFIX.len() + key.len()
}

/// The environment variable's name for `key`, of [`variable_len`] bytes.
pub const fn variable<const N: usize>(key: &str) -> [u8; N] {
    let (prefix, key) = (PREFIX.as_bytes(), key.as_bytes());
    let mut name = [b'_'; N];
    let mut index = 0;
    while index < N {
        if index < prefix.len() {
            name[index] = prefix[index];
        } else if key[index - prefix.len()] != b'.' {
            name[index] = key[index - prefix.len()].to_ascii_uppercase();
        }
        index += 1;
    }
    name
}

/// The text that `bytes` are. A key that isn't ASCII makes none, and a variable without a name.
pub const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// All fields of `parts`, of which there are `N`.
pub const fn join<const N: usize>(parts: &[&[&'static Field]]) -> [&'static Field; N] {
    const NONE: &Field = &Field::new("", "", "");
    let mut all = [NONE; N];
    let (mut part, mut count) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            all[count] = parts[part][index];
            (index, count) = (index + 1, count + 1);
        }
        part += 1;
    }
    all
}

#[cfg(test)]
mod tests;
