//! Tuned loops for what rules do all day, for Wasm with simd128 and for x86-64 alike.
//!
//! In a sandbox the boundary is cheap and the rule's own code is what costs. A copy or a comparison of a length that
//! the compiler does not know is a call out of the guest there, so a rule written plainly spends most of its time in
//! short `extend_from_slice` and `==`. These loops work in blocks of fixed width instead, and where they can on a whole
//! column at once.
//!
//! - [`Text`]: a borrowed text column, offsets and bytes. [`TextBuilder`]: a text column under construction. [`Span`]: a
//!   place within a row.
//! - [`bits`]: validity and booleans. [`find`]: bytes in a row or a column. [`mask`]: hiding in place and by column.
//!   [`compare`] and [`SmallSet`]: equality and membership.
//! - [`number`]: `int64`, `float64` and exact decimals out of text. [`time`]: timestamps and dates out of text and into it.
//! - [`pattern`]: regular expressions over whole values. [`detect`]: personal data in free text.
//!
//! Nothing here panics on any input but for a column past 4 GiB ([`TextBuilder`]); offsets that lie read as empty rows.
//! Every kernel is tested against a plain version of itself.

pub mod bits;
pub mod block;
mod builder;
pub mod compare;
pub mod detect;
pub mod find;
pub mod mask;
pub mod number;
pub mod pattern;
mod set;
mod text;
pub mod time;

pub use builder::{Span, TextBuilder};
pub use number::{DecimalTarget, Excess, NumberError, NumberFormat, Short};
pub use set::SmallSet;
pub use text::{Text, char_len, is_blank, is_space, len_chars, trim};
