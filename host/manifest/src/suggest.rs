//! The nearest known name.

/// The end of a message about an unknown name: ``; did you mean `x`?`` where a known one is near, else
/// `; known KIND: a, b, c`, else nothing.
pub fn way_out<'a>(given: &str, known: impl IntoIterator<Item = &'a str>, kind: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(given, known.iter().copied()) {
        Some(name) => format!("; did you mean `{name}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; known {kind}: {}", shortened(&known)),
    }
}

/// A list for people: at most twelve names.
fn shortened(known: &[&str]) -> String {
    const MOST: usize = 12;
    let end = if known.len() > MOST { format!(" and {} more", known.len() - MOST) } else { String::new() };
    format!("{}{end}", known[..known.len().min(MOST)].join(", "))
}

/// The known name nearest to `given`, where it is near enough to be meant: at most one edit in three characters, case
/// and the choice of `-` or `_` aside.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = folded(given);
    let budget = (given.len() / 3).max(1);
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(given.len()) <= budget)
        .map(|name| (distance(&given, &folded(name)), name))
        .filter(|&(edits, _)| edits <= budget && edits < given.len().max(1))
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, name)| name)
}

/// Longer names are cut: the distance costs the product of the lengths.
fn folded(name: &str) -> Vec<char> {
    name.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + usize::from(!same));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_one_edit() {
        let known = ["source", "schema", "steps", "silver"];
        for (given, meant) in [("sourc", "source"), ("shcema", "schema"), ("Stepss", "steps"), ("sylver", "silver")] {
            assert_eq!(nearest(given, known), Some(meant));
        }
    }

    #[test]
    fn a_name_far_from_all_gets_the_list() {
        assert_eq!(way_out("zebra", ["source", "schema"], "keys"), "; known keys: source, schema");
        assert_eq!(way_out("x", [], "columns"), "");
    }

    #[test]
    fn one_letter_is_no_ground_for_a_guess() {
        assert_eq!(nearest("q", ["ts", "on"]), None);
    }
}
