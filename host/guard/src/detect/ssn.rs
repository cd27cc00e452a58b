//! US social security numbers, and taxpayer numbers of the same form.

use super::groups::{Gap, Groups};
use crate::bytes::{self, Words, apart};
use std::ops::Range;

/// Words that nine digits in a row have to stand behind.
const WORDS: Words = Words::new(&[b"ssn", b"social sec", b"social_sec", b"socialsec"]);

/// The number that begins with the first group: three, two and four digits with the same between, or nine digits behind a
/// word that says what they are.
pub(super) fn at(text: &[u8], groups: Groups<'_>) -> Option<Range<usize>> {
    let first = groups.first();
    if !apart(bytes::before(text, first.start)) {
        return None;
    }
    let (end, digits) = match (first.len(), groups.chain()) {
        (3, [area, group, serial, ..]) if group.len() == 2 && serial.len() == 4 && group.gap == serial.gap => {
            if !matches!(group.gap, Gap::Blank | Gap::Dash | Gap::Dot | Gap::Line) {
                return None;
            }
            let part = |group: &super::groups::Group| &text[group.start..group.end];
            (serial.end, [part(area), part(group), part(serial)])
        }
        (9, _) if WORDS.announce(text, first.start) => {
            let digits = &text[first.start..first.end];
            (first.end, [&digits[..3], &digits[3..5], &digits[5..]])
        }
        _ => return None,
    };
    (apart(bytes::at(text, end)) && issued(digits)).then_some(first.start..end)
}

/// Numbers that are never issued: area 000 and 666, group 00, serial 0000
/// (<https://www.ssa.gov/employer/randomization.html>). Areas 900 to 999 are no social security numbers either, but
/// taxpayer numbers of the same form, which are as personal.
fn issued([area, group, serial]: [&[u8]; 3]) -> bool {
    area != b"000" && area != b"666" && group != b"00" && serial != b"0000"
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use crate::Kind;

    #[test]
    fn numbers_with_any_of_the_separators_are_found() {
        for number in ["078-05-1120", "078 05 1120", "078.05.1120", "078_05_1120", "078 - 05 - 1120", "912-70-3456"] {
            assert_eq!(found(Kind::Ssn, &format!("(SSN {number}).")), [number]);
        }
        assert_eq!(found(Kind::Ssn, "9-123-45-6789-1"), ["123-45-6789"]);
    }

    #[test]
    fn nine_digits_are_found_behind_a_word() {
        for text in
            ["SSN: 078051120", "{\"ssn\":\"078051120\"}", "customerSsn=078051120", "Social security no 078051120"]
        {
            assert_eq!(found(Kind::Ssn, text), ["078051120"], "{text}");
        }
    }

    #[test]
    fn numbers_never_issued_and_other_shapes_are_left() {
        for text in [
            "000-12-3456",
            "666-12-3456",
            "123-00-4567",
            "123-45-0000",
            "order 123456789",
            "123-45 6789",
            "1123-45-6789",
            "123-45-67890",
            "x123-45-6789",
            "123/45/6789",
            "123-45-",
        ] {
            assert_eq!(found(Kind::Ssn, text), Vec::<&str>::new(), "{text}");
        }
    }
}
