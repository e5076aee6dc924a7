//! Parts of a text that are replaced.

use std::ops::Range;

/// A part of a plain text, and what it is replaced by.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) by: String,
}

/// Both lists in one, in order. Where two spans overlap, the first list's is kept. Each list is in order and
/// without overlaps.
pub(super) fn merged(first: Vec<Span>, second: Vec<Span>) -> Vec<Span> {
    if first.is_empty() || second.is_empty() {
        return if first.is_empty() { second } else { first };
    }
    let mut both = Vec::with_capacity(first.len() + second.len());
    let mut first = first.into_iter().peekable();
    let mut done = 0;
    for span in second {
        while let Some(kept) = first.next_if(|kept| kept.range.start < span.range.end) {
            done = kept.range.end;
            both.push(kept);
        }
        if span.range.start >= done {
            // A span of the first list that begins later can't overlap: it was not taken above.
            both.push(span);
        }
    }
    both.extend(first);
    both.sort_by_key(|span| span.range.start);
    both
}

/// A list in order and without overlaps. Spans that overlap become one, which is replaced as the first of
/// them.
pub(super) fn ordered(mut spans: Vec<Span>) -> Vec<Span> {
    if spans.len() < 2 {
        return spans;
    }
    spans.sort_by_key(|span| (span.range.start, usize::MAX - span.range.end));
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut().filter(|last| span.range.start < last.range.end) {
            Some(last) => last.range.end = last.range.end.max(span.range.end),
            None => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(ranges: &[(usize, usize)]) -> Vec<Span> {
        ranges.iter().map(|(start, end)| Span { range: *start..*end, by: String::new() }).collect()
    }

    fn ranges(spans: &[Span]) -> Vec<(usize, usize)> {
        spans.iter().map(|span| (span.range.start, span.range.end)).collect()
    }

    #[test]
    fn the_first_list_wins_and_order_is_kept() {
        for (first, second, both) in [
            (
                &[(2, 4), (8, 9)][..],
                &[(0, 1), (3, 5), (5, 6), (8, 12), (12, 13)][..],
                &[(0, 1), (2, 4), (5, 6), (8, 9), (12, 13)][..],
            ),
            (&[(0, 9)], &[(1, 2), (3, 4), (9, 10)], &[(0, 9), (9, 10)]),
            (&[(4, 6)], &[(0, 10), (12, 13)], &[(4, 6), (12, 13)]),
            (&[], &[(1, 2)], &[(1, 2)]),
        ] {
            assert_eq!(ranges(&merged(spans(first), spans(second))), both);
        }
        assert_eq!(ranges(&ordered(spans(&[(5, 6), (0, 2), (0, 4), (3, 5)]))), [(0, 5), (5, 6)]);
    }
}
