/// The vendor's region in which a workspace lives.
///
/// A wrong region must be corrected in the settings. Following the vendor's redirect is no help: a followed
/// 301 turns the POST into a GET and drops the credentials, and the traffic would pass through the other
/// region, and be logged there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// United States.
    Us,
    /// European Union.
    Eu,
}

impl Region {
    /// The Track API's origin, without a slash at the end.
    #[must_use]
    pub fn track_url(self) -> &'static str {
        match self {
            Self::Us => "https://track.customer.io",
            Self::Eu => "https://track-eu.customer.io",
        }
    }
}

impl settings::Value for Region {
    const SHAPE: &'static str = "us or eu";

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "us" => Ok(Self::Us),
            "eu" => Ok(Self::Eu),
            _ => Err("neither us nor eu".to_owned()),
        }
    }
}
