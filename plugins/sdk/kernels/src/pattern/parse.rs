//! From text to a tree.

use super::PatternError;

/// Groups within groups; keeps the parser's stack small in a guest.
const MOST_DEPTH: usize = 50;
/// Most times that `{}` repeats.
const MOST_TIMES: u32 = 1_000;

/// Repetitions right behind each other (`a*?+`).
const MOST_REPEATS: usize = 8;

/// A piece of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// One character out of these ranges of scalar values, sorted and apart.
    Class(Vec<(u32, u32)>),
    Concat(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: u32,
        most: Option<u32>,
    },
    /// `^`: nothing stands before.
    Start,
    /// `$`: nothing stands after.
    End,
}

const DIGIT: &[(u32, u32)] = &[(0x30, 0x39)];
const WORD: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];
const SPACE: &[(u32, u32)] = &[(0x09, 0x0D), (0x20, 0x20)];
const LINE_FEED: &[(u32, u32)] = &[(0x0A, 0x0A)];

pub(super) fn parse(pattern: &str) -> Result<Node, PatternError> {
    let mut parser = Parser { pattern, at: 0, depth: 0, ignore_case: false };
    parser.ignore_case = parser.eat("(?i)");
    let node = parser.either()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(PatternError::new(parser.at, "no group is open here; write `\\)` for the character")),
    }
}

struct Parser<'a> {
    pattern: &'a str,
    at: usize,
    depth: usize,
    ignore_case: bool,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.pattern.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn either(&mut self) -> Result<Node, PatternError> {
        let mut arms = vec![self.concat()?];
        while self.eat("|") {
            arms.push(self.concat()?);
        }
        Ok(if arms.len() == 1 { arms.remove(0) } else { Node::Either(arms) })
    }

    fn concat(&mut self) -> Result<Node, PatternError> {
        let mut parts = Vec::new();
        let mut repeats = 0;
        while let Some(next) = self.peek().filter(|next| !matches!(next, '|' | ')')) {
            if !matches!(next, '?' | '*' | '+' | '{') {
                repeats = 0;
                parts.push(self.atom()?);
                continue;
            }
            repeats += 1;
            let Some(node) = parts.pop().filter(|_| repeats <= MOST_REPEATS) else {
                return Err(PatternError::new(
                    self.at,
                    "nothing to repeat, or repeated too often; write a `\\` before the character",
                ));
            };
            parts.push(self.repeat(node)?);
        }
        Ok(Node::Concat(parts))
    }

    fn repeat(&mut self, node: Node) -> Result<Node, PatternError> {
        let start = self.at;
        let (least, most) = match self.next() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            _ => self.times(start)?,
        };
        // A lazy match of the whole is the same match.
        self.eat("?");
        Ok(Node::Repeat { node: Box::new(node), least, most })
    }

    /// What stands after `{`.
    fn times(&mut self, start: usize) -> Result<(u32, Option<u32>), PatternError> {
        let least = self.number();
        let most = if self.eat(",") {
            if self.rest().starts_with('}') { least.map(|_| None) } else { self.number().map(Some) }
        } else {
            least.map(Some)
        };
        match (least, most) {
            (Some(least), Some(most)) if self.eat("}") => match most {
                Some(most) if most < least => Err(PatternError::new(start, "the range runs backwards in `{}`")),
                _ => Ok((least, most)),
            },
            _ => Err(PatternError::new(
                start,
                "after `{` comes how often, 0 to 1000, as in `{2}`, `{2,}` or `{2,5}`; write `\\{` for the character",
            )),
        }
    }

    /// How often something is repeated.
    fn number(&mut self) -> Option<u32> {
        let start = self.at;
        let mut number = 0;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            number = number * 10 + digit;
            self.at += 1;
            if number > MOST_TIMES {
                return None;
            }
        }
        (self.at > start).then_some(number)
    }

    fn atom(&mut self) -> Result<Node, PatternError> {
        let start = self.at;
        match self.next() {
            Some('.') => Ok(Node::Class(opposite(LINE_FEED))),
            Some('^') => Ok(Node::Start),
            Some('$') => Ok(Node::End),
            Some('[') => self.class(start),
            Some('(') => self.group(start),
            Some('\\') => {
                let ranges = self.escape(start)?;
                Ok(self.one_of(ranges))
            }
            Some(other) => Ok(self.one_of(single(other))),
            None => Ok(Node::Concat(Vec::new())),
        }
    }

    fn group(&mut self, start: usize) -> Result<Node, PatternError> {
        if self.peek() == Some('?') && !self.eat("?:") {
            let message =
                "look-around, names and flags within a pattern are not supported; groups are `(...)` and `(?:...)`";
            return Err(PatternError::new(start, message));
        }
        if self.depth == MOST_DEPTH {
            return Err(PatternError::new(start, "groups lie more than 50 deep in each other"));
        }
        self.depth += 1;
        let node = self.either()?;
        self.depth -= 1;
        if self.eat(")") {
            Ok(node)
        } else {
            Err(PatternError::new(start, "the group is not closed; write `\\(` for the character"))
        }
    }

    fn class(&mut self, start: usize) -> Result<Node, PatternError> {
        let unclosed = || PatternError::new(start, "the class is not closed; write `\\[` for the character");
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        if self.eat("]") {
            ranges.extend(single(']'));
        }
        while !self.eat("]") {
            let at = self.at;
            let low = self.member(&unclosed)?;
            let is_range = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            if is_range && self.eat("-") {
                let high = self.member(&unclosed)?;
                ranges.push(range(&low, &high).ok_or_else(|| {
                    PatternError::new(
                        at,
                        "the range runs backwards, or its ends are no characters; put `-` last for the character",
                    )
                })?);
            } else {
                ranges.extend(low);
            }
        }
        if self.ignore_case {
            ranges = with_both_cases(ranges);
        }
        let ranges = sorted(ranges);
        Ok(Node::Class(if negated { opposite(&ranges) } else { ranges }))
    }

    /// A character, or several by an escape, in a class.
    fn member(&mut self, unclosed: &dyn Fn() -> PatternError) -> Result<Vec<(u32, u32)>, PatternError> {
        let start = self.at;
        if ["&&", "--", "~~"].iter().any(|doubled| self.rest().starts_with(doubled)) {
            let message =
                "`&&`, `--` and `~~` between classes are not supported; write a `\\` before each for the character";
            return Err(PatternError::new(start, message));
        }
        match self.next() {
            None => Err(unclosed()),
            Some('[') => Err(PatternError::new(
                start,
                "classes within a class are not supported; write `\\[` for the character, `\\d` for digits",
            )),
            Some('\\') => self.escape(start),
            Some(other) => Ok(single(other)),
        }
    }

    /// What stands after a backslash.
    fn escape(&mut self, start: usize) -> Result<Vec<(u32, u32)>, PatternError> {
        let Some(letter) = self.next() else {
            return Err(PatternError::new(start, "the pattern ends with a backslash; write `\\\\` for the character"));
        };
        let ranges = match letter {
            'd' | 'D' => DIGIT,
            'w' | 'W' => WORD,
            's' | 'S' => SPACE,
            't' => &[(0x09, 0x09)],
            'n' => &[(0x0A, 0x0A)],
            'r' => &[(0x0D, 0x0D)],
            'x' | 'u' => return self.code(start, letter),
            other if other.is_ascii_punctuation() && !matches!(other, '<' | '>') => return Ok(single(other)),
            other => return Err(PatternError::of(start, "`\\", other.encode_utf8(&mut [0; 4]), "` is not supported")),
        };
        Ok(if letter.is_ascii_uppercase() { opposite(ranges) } else { ranges.to_vec() })
    }

    /// The character of `\x41`, `\x{41}`, `\u0041` or `\u{41}`, after the letter.
    fn code(&mut self, start: usize, letter: char) -> Result<Vec<(u32, u32)>, PatternError> {
        let braced = self.eat("{");
        let most = if braced {
            8
        } else if letter == 'x' {
            2
        } else {
            4
        };
        let (first, mut code) = (self.at, 0u32);
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(16)).filter(|_| self.at - first < most) {
            code = code << 4 | digit;
            self.at += 1;
        }
        let len = self.at - first;
        let complete = if braced { len > 0 && self.eat("}") } else { len == most };
        match char::from_u32(code).filter(|_| complete) {
            Some(character) => Ok(single(character)),
            None => {
                Err(PatternError::new(start, "this is no character in hexadecimal digits, as `\\x41` or `\\u{1F600}`"))
            }
        }
    }

    fn one_of(&self, ranges: Vec<(u32, u32)>) -> Node {
        Node::Class(if self.ignore_case { sorted(with_both_cases(ranges)) } else { ranges })
    }
}

fn single(character: char) -> Vec<(u32, u32)> {
    vec![(u32::from(character), u32::from(character))]
}

/// The range between two single characters.
fn range(low: &[(u32, u32)], high: &[(u32, u32)]) -> Option<(u32, u32)> {
    match (low, high) {
        (&[(a, b)], &[(c, d)]) if a == b && c == d && a <= c => Some((a, c)),
        _ => None,
    }
}

/// Ranges in order and apart. They are few: putting each in its place keeps a general sort out of the component.
fn sorted(ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (mut low, mut high) in ranges {
        let first = out.iter().position(|range| low <= range.1.saturating_add(1)).unwrap_or(out.len());
        while let Some(&touched) = out.get(first).filter(|range| range.0 <= high.saturating_add(1)) {
            (low, high) = (low.min(touched.0), high.max(touched.1));
            out.remove(first);
        }
        out.insert(first, (low, high));
    }
    out
}

/// All scalar values outside of sorted ranges.
#[inline(never)]
fn opposite(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    let mut from = 0;
    for &(low, high) in ranges {
        if from < low {
            out.push((from, low - 1));
        }
        from = high + 1;
    }
    if from <= 0x10_FFFF {
        out.push((from, 0x10_FFFF));
    }
    out
}

/// Ranges and the other case of the ASCII letters in them.
fn with_both_cases(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    for i in 0..ranges.len() {
        let (low, high) = ranges[i];
        for (first, last, other) in [(0x41, 0x5A, 0x61), (0x61, 0x7A, 0x41)] {
            let (low, high) = (low.max(first), high.min(last));
            if low <= high {
                ranges.push((low - first + other, high - first + other));
            }
        }
    }
    ranges
}
