//! A request's body, read into memory within its limits.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};

use super::admission::Permit;
use super::answer::{Answer, Unavailable};

/// Reads a body of at most `limit_bytes`. A body that is announced as longer is not read at all. Otherwise
/// reading stops where the body crosses the limit.
pub(crate) async fn read<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    limit_bytes: usize,
    permit: &mut Permit<'_>,
) -> Result<Bytes, Answer> {
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX);
    if body.size_hint().lower() > limit {
        return Err(Answer::TooLarge);
    }
    let mut length = 0;
    let mut chunks: Vec<Bytes> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Answer::Unavailable(Unavailable::BodyBrokeOff))?;
        let Ok(chunk) = frame.into_data() else { continue };
        length += chunk.len();
        if length > limit_bytes {
            return Err(Answer::TooLarge);
        }
        permit.grow(chunk.len())?;
        chunks.push(chunk);
    }
    // Nearly every webhook comes in one piece, and one piece needs no copy.
    Ok(if let [whole] = chunks.as_slice() { whole.clone() } else { Bytes::from(chunks.concat()) })
}

/// Reads the rest of a body and throws it away.
pub(crate) async fn discard<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    while let Some(Ok(_)) = body.frame().await {}
}
