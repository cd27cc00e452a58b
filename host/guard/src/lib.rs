//! The egress gate: looks for personal data in what leaves (tables, logs, labels), whatever rules did before.
//!
//! The nouns:
//! - [`Kind`]: what is looked for; a mask such as `[email]` stands in its place.
//! - [`Detector`]: finds [`Hit`]s in a text and puts masks in their place, in texts and in whole columns.
//! - [`ColumnHits`]: the rows of a column that hold something, and [`Counts`] of what.
//!
//! What holds:
//! - What a detector finds in a row depends on the bytes of that row alone: not on its column, its neighbours or a slice.
//! - Hits are in order, do not overlap, and begin and end between characters.
//! - Nothing is found in what was masked, rows keep their places, and a text without hits stays as it is.
//! - No text makes it panic, and it takes time in proportion to what it reads. To mask, a text is looked through again until
//!   nothing is found; one that was made to be looked through for ever is masked as a whole.
//!
//! # What is found
//!
//! The gate is to catch what rules let through, so it errs towards catching: all e-mail addresses, cards, IBANs and social
//! security numbers that the regular expressions of Presidio find are found here.
//!
//! | kind | found | checked |
//! | --- | --- | --- |
//! | e-mail | local part, `@`, domain whose last label could be a top-level domain; letters of all scripts | |
//! | card | 12 to 19 digits, whole or in groups as they are written | Luhn; prefix and length, loosely |
//! | IBAN | any country that uses the form, whole or in groups | length of the country, mod 97 |
//! | SSN | 3-2-4 digits with the same between, ITINs too; nine digits behind a word such as `ssn` | parts that are never issued |
//! | phone | `+` and a country; North American; a trunk zero and groups; an area in parentheses; else behind a word such as `phone` | dates and the like are left |
//! | IP | IPv4 with four octets, IPv6 | parsed |
//!
//! Groups may be divided by a blank (one or two), `-`, ` - `, `.`, `_` or `+`. A text is read a second time in its plain
//! spelling where it holds escapes of JSON (`\u0040`), of addresses (`%40`) or of HTML (`&#64;`), full-width forms, digits of
//! other scripts, blanks and dashes of Unicode, or characters that are not seen; so text within JSON is found too.
//!
//! # What is not found
//!
//! - Numbers right behind or before a letter or digit of ASCII (`x4111…`): hashes and tokens are full of digits.
//! - Cards in groups of one or two digits, or over several lines or columns; whole numbers of 13, 14, 16 or 17 digits that
//!   begin with 1, which are times; the digits behind the point of a number; cards within a UUID.
//! - Nine digits in a row with no word near that says that they are a social security number; one with two kinds of
//!   separators. Cards in two groups with a point between, which are decimals.
//! - E-mail addresses in words (`jo at example dot com`), with blanks around the `@`, with a quoted local part, or at a
//!   host without a domain or at a bare IP address.
//! - Telephone numbers in one piece, or in groups that could be anything, with no word near; extensions in words.
//! - What is encoded (base64, quoted-printable, hexadecimal), compressed or encrypted; letters of other scripts that look
//!   like Latin ones; surrogate pairs written as two escapes of JSON; numbers written as words.
//! - What a column's name alone says.
//!
//! # What is found and is none
//!
//! A tenth of all numbers has the right check digit for a card. Article numbers (GTIN) of 13 digits and keys of 13 to 17 that
//! begin with 3, 4, 5 or 6 are masked where they hold by chance; a dataset that needs them in the clear says so for the
//! column. Object identifiers (`1.3.6.1`) and versions of four parts are taken for IPv4 addresses.

mod block;
mod bytes;
mod column;
mod detect;
mod detector;
mod fold;
mod kind;
mod number;
mod survey;

pub use column::ColumnHits;
pub use detector::{Detector, Hit};
pub use kind::{Counts, Kind, UnknownKind};
