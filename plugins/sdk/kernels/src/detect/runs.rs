//! Runs of digits, the stuff of numbers.

use super::Span;
use crate::find;

/// The runs of digits of a text, in order.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = Span> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = find::digit(text, from)?;
        let len = text.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
        from = start + len;
        Some(Span::new(start, from))
    })
}

/// The run that starts at `start`; empty where no digit stands.
#[inline]
pub(super) fn run_at(text: &[u8], start: usize) -> Span {
    let len = text.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
    Span::new(start, start + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_in_order() {
        let text = b"1 22,x333";
        let found: Vec<_> = runs(text).map(|run| (run.start, run.end)).collect();
        assert_eq!(found, [(0, 1), (2, 4), (6, 9)]);
        assert_eq!(run_at(text, 6), Span::new(6, 9));
        assert_eq!(run_at(text, 5), Span::new(5, 5));
    }
}
