//! US social security numbers, and taxpayer numbers of the same form.

use super::runs::{run_at, runs};
use super::{Span, byte_at, byte_before, byte_two_before, is_word};

pub(super) fn spans(text: &[u8], out: &mut Vec<Span>) {
    for run in runs(text) {
        if let Some(end) = ssn_end(text, run) {
            out.push(Span::new(run.start, end));
        }
    }
}

/// Where the number that starts with the area `run` ends: three, two and four digits with the same separator between.
fn ssn_end(text: &[u8], area: Span) -> Option<usize> {
    let separator = byte_at(text, area.end);
    let before = byte_before(text, area.start);
    let continues = before == separator && separator != b' ' && byte_two_before(text, area.start).is_ascii_digit();
    if area.end - area.start != 3 || !matches!(separator, b'-' | b' ' | b'.') || is_word(before) || continues {
        return None;
    }
    let group = run_at(text, area.end + 1);
    let serial = run_at(text, group.end + 1);
    let shaped =
        group.end - group.start == 2 && serial.end - serial.start == 4 && byte_at(text, group.end) == separator;
    let after = byte_at(text, serial.end);
    let goes_on = is_word(after) || after == separator && byte_at(text, serial.end + 1).is_ascii_digit();
    (shaped && !goes_on && issued(area.of(text), group.of(text), serial.of(text))).then_some(serial.end)
}

/// Numbers that are never issued: area 000 and 666, group 00, serial 0000
/// (<https://www.ssa.gov/employer/randomization.html>). Areas 900 to 999 are no social security numbers either, but
/// taxpayer numbers of the same form, which are as personal.
fn issued(area: &[u8], group: &[u8], serial: &[u8]) -> bool {
    area != b"000" && area != b"666" && group != b"00" && serial != b"0000"
}

#[cfg(test)]
mod tests {
    use crate::detect::{Kind, tests::found};

    #[test]
    fn numbers_with_any_of_the_separators_are_found() {
        for number in ["078-05-1120", "078 05 1120", "078.05.1120", "912-70-3456"] {
            assert_eq!(found(Kind::Ssn, &format!("(SSN {number}).")), [number]);
        }
    }

    #[test]
    fn numbers_never_issued_and_other_shapes_are_left() {
        for text in [
            "000-12-3456",
            "666-12-3456",
            "123-00-4567",
            "123-45-0000",
            "123456789",
            "123-45 6789",
            "1123-45-6789",
            "123-45-67890",
            "9-123-45-6789",
            "123-45-6789-1",
            "x123-45-6789",
            "123-45-",
        ] {
            assert_eq!(found(Kind::Ssn, text), Vec::<&str>::new(), "{text}");
        }
    }
}
