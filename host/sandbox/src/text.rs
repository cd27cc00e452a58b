//! Text that a stranger wrote, made fit for a terminal and a log line.

/// `text` with control characters replaced and cut to `max` characters.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut clean: String =
        text.chars().take(max).map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
    if text.chars().nth(max).is_some() {
        clean.push('…');
    }
    clean
}

/// The same with line breaks and tabs turned into blanks.
pub(crate) fn clean_line(text: &str, max: usize) -> String {
    clean(&text.trim().replace(['\n', '\r', '\t'], " "), max)
}

/// Neither a control character nor one that turns the direction of writing, which can make a line read as another.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Whether a text is a name of `max` bytes at most, of lower-case letters, digits and one more character.
pub(crate) fn is_name(text: &str, extra: u8, max: usize) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == extra;
    (1..=max).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_rewrite_a_terminal_is_replaced() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c", 80), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(clean_line(" two\nlines ", 80), "two lines");
        assert_eq!(clean("äöü", 2), "äö…");
    }

    #[test]
    fn names_are_short_and_plain() {
        assert!(is_name("pii-2", b'-', 64) && is_name("too_long", b'_', 64));
        assert!(!is_name("", b'-', 64) && !is_name("Pii", b'-', 64) && !is_name("a_b", b'-', 64));
        assert!(!is_name(&"a".repeat(65), b'-', 64));
    }
}
