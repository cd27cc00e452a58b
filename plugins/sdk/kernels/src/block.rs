//! Sixteen bytes at a time: the one place that knows a processor.
//!
//! [`Block`] has three back ends with the same answers: simd128 in Wasm, SSE2 on x86-64 (every such processor has
//! it), and plain code elsewhere. Everything above it is written once.

/// Bytes in a [`Block`].
pub const WIDTH: usize = 16;

/// Sixteen bytes that are compared and selected together. Comparisons give a block whose bytes are 0xFF where they
/// hold and 0 elsewhere; [`Block::bits`] turns that into one bit a byte.
#[derive(Clone, Copy)]
pub struct Block(imp::Raw);

impl Block {
    /// The sixteen bytes of `bytes`.
    #[inline(always)]
    pub fn load(bytes: &[u8; WIDTH]) -> Self {
        Self(imp::load(bytes))
    }

    /// The same byte sixteen times.
    #[inline(always)]
    pub fn splat(byte: u8) -> Self {
        Self(imp::splat(byte))
    }

    /// Writes the sixteen bytes to `bytes`.
    #[inline(always)]
    pub fn store(self, bytes: &mut [u8; WIDTH]) {
        imp::store(self.0, bytes);
    }

    /// Where a byte equals `byte`.
    #[inline(always)]
    #[must_use]
    pub fn eq(self, byte: u8) -> Self {
        Self(imp::eq(self.0, imp::splat(byte)))
    }

    /// Where a byte is within `low..=high`. Nothing matches when `low > high`.
    #[inline(always)]
    #[must_use]
    pub fn within(self, low: u8, high: u8) -> Self {
        if low > high {
            return Self::splat(0);
        }
        let moved = imp::sub(self.0, imp::splat(low));
        Self(imp::at_most(moved, imp::splat(high - low)))
    }

    /// Where a byte is an ASCII digit.
    #[inline(always)]
    #[must_use]
    pub fn digits(self) -> Self {
        self.within(b'0', b'9')
    }

    /// Where either holds.
    #[inline(always)]
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(imp::or(self.0, other.0))
    }

    /// Where both hold.
    #[inline(always)]
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(imp::and(self.0, other.0))
    }

    /// `yes` where this comparison holds, `no` elsewhere.
    #[inline(always)]
    #[must_use]
    pub fn select(self, yes: Self, no: Self) -> Self {
        Self(imp::or(imp::and(self.0, yes.0), imp::and_not(no.0, self.0)))
    }

    /// The comparison as bits: bit i is the highest bit of byte i.
    #[inline(always)]
    #[must_use]
    pub fn bits(self) -> u32 {
        imp::bits(self.0)
    }
}

/// The `len` (at most 16) lowest bits: what of a block's bits lies within a row.
#[inline(always)]
#[must_use]
pub fn low_bits(len: usize) -> u32 {
    if len >= WIDTH { 0xFFFF } else { (1 << len) - 1 }
}

/// The block that starts at `at`, and how many of its bytes are before `end`. Bytes past `end` are whatever stands
/// there: mask them with [`low_bits`]. `at` and `end` past the slice give zeros.
#[inline(always)]
#[must_use]
pub fn block_at(bytes: &[u8], at: usize, end: usize) -> (Block, usize) {
    let rest = bytes.get(at..).unwrap_or(&[]);
    let len = end.saturating_sub(at).min(rest.len()).min(WIDTH);
    match rest.first_chunk::<WIDTH>() {
        Some(chunk) => (Block::load(chunk), len),
        None => (padded(rest), len),
    }
}

/// A block of fewer than sixteen bytes, zeros after them.
#[cold]
fn padded(rest: &[u8]) -> Block {
    let mut chunk = [0; WIDTH];
    for (to, from) in chunk.iter_mut().zip(rest) {
        *to = *from;
    }
    Block::load(&chunk)
}

/// The first eight bytes of a slice as a little-endian number, zeros after its end.
#[inline(always)]
#[must_use]
pub fn load8(bytes: &[u8]) -> u64 {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*chunk);
    }
    let len = bytes.len();
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let head = u64::from(u32::from_le_bytes(*head));
        let tail = u64::from(u32::from_le_bytes(*tail));
        return head | tail << (8 * (len - 4));
    }
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return 0;
    };
    // One to three bytes without a branch on which: first, middle and last, some of them the same.
    let middle = bytes.get(len / 2).copied().unwrap_or(0);
    u64::from(first) | u64::from(middle) << (8 * (len / 2)) | u64::from(last) << (8 * (len - 1))
}

/// The low `len` (at most 8) bytes of a number.
#[inline(always)]
#[must_use]
pub fn low_bytes(word: u64, len: usize) -> u64 {
    if len >= 8 { word } else { word & ((1 << (8 * len)) - 1) }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, u8x16_sub, v128, v128_and, v128_andnot, v128_load, v128_or,
        v128_store,
    };

    pub(super) type Raw = v128;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 16]) -> Raw {
        // SAFETY: sixteen readable bytes; a v128 load needs no alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn store(raw: Raw, bytes: &mut [u8; 16]) {
        // SAFETY: sixteen writable bytes; a v128 store needs no alignment.
        unsafe { v128_store(bytes.as_mut_ptr().cast(), raw) }
    }

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Raw {
        u8x16_splat(byte)
    }

    #[inline(always)]
    pub(super) fn eq(a: Raw, b: Raw) -> Raw {
        u8x16_eq(a, b)
    }

    #[inline(always)]
    pub(super) fn sub(a: Raw, b: Raw) -> Raw {
        u8x16_sub(a, b)
    }

    #[inline(always)]
    pub(super) fn at_most(a: Raw, b: Raw) -> Raw {
        u8x16_le(a, b)
    }

    #[inline(always)]
    pub(super) fn or(a: Raw, b: Raw) -> Raw {
        v128_or(a, b)
    }

    #[inline(always)]
    pub(super) fn and(a: Raw, b: Raw) -> Raw {
        v128_and(a, b)
    }

    /// `a` where `b` is 0.
    #[inline(always)]
    pub(super) fn and_not(a: Raw, b: Raw) -> Raw {
        v128_andnot(a, b)
    }

    #[inline(always)]
    pub(super) fn bits(a: Raw) -> u32 {
        u32::from(u8x16_bitmask(a))
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use core::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_andnot_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8,
        _mm_or_si128, _mm_set1_epi8, _mm_storeu_si128, _mm_sub_epi8,
    };

    pub(super) type Raw = __m128i;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 16]) -> Raw {
        // SAFETY: sixteen readable bytes; loadu needs no alignment; SSE2 is part of x86-64.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn store(raw: Raw, bytes: &mut [u8; 16]) {
        // SAFETY: sixteen writable bytes; storeu needs no alignment; SSE2 is part of x86-64.
        unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), raw) }
    }

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Raw {
        // SAFETY: SSE2 is part of x86-64, as in every function of this module.
        unsafe { _mm_set1_epi8(byte as i8) }
    }

    #[inline(always)]
    pub(super) fn eq(a: Raw, b: Raw) -> Raw {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cmpeq_epi8(a, b) }
    }

    #[inline(always)]
    pub(super) fn sub(a: Raw, b: Raw) -> Raw {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_sub_epi8(a, b) }
    }

    #[inline(always)]
    pub(super) fn at_most(a: Raw, b: Raw) -> Raw {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cmpeq_epi8(_mm_min_epu8(a, b), a) }
    }

    #[inline(always)]
    pub(super) fn or(a: Raw, b: Raw) -> Raw {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_or_si128(a, b) }
    }

    #[inline(always)]
    pub(super) fn and(a: Raw, b: Raw) -> Raw {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_and_si128(a, b) }
    }

    /// `a` where `b` is 0.
    #[inline(always)]
    pub(super) fn and_not(a: Raw, b: Raw) -> Raw {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_andnot_si128(b, a) }
    }

    #[inline(always)]
    pub(super) fn bits(a: Raw) -> u32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_movemask_epi8(a) as u32 }
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
use plain as imp;

/// The back end without vector instructions, and what the others are tested against.
#[cfg(any(test, not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))))]
mod plain {
    pub(super) type Raw = [u8; 16];

    fn each(a: Raw, b: Raw, f: impl Fn(u8, u8) -> u8) -> Raw {
        core::array::from_fn(|i| f(a[i], b[i]))
    }

    pub(super) fn load(bytes: &[u8; 16]) -> Raw {
        *bytes
    }

    pub(super) fn store(raw: Raw, bytes: &mut [u8; 16]) {
        *bytes = raw;
    }

    pub(super) fn splat(byte: u8) -> Raw {
        [byte; 16]
    }

    pub(super) fn eq(a: Raw, b: Raw) -> Raw {
        each(a, b, |a, b| if a == b { 0xFF } else { 0 })
    }

    pub(super) fn sub(a: Raw, b: Raw) -> Raw {
        each(a, b, u8::wrapping_sub)
    }

    pub(super) fn at_most(a: Raw, b: Raw) -> Raw {
        each(a, b, |a, b| if a <= b { 0xFF } else { 0 })
    }

    pub(super) fn or(a: Raw, b: Raw) -> Raw {
        each(a, b, |a, b| a | b)
    }

    pub(super) fn and(a: Raw, b: Raw) -> Raw {
        each(a, b, |a, b| a & b)
    }

    /// `a` where `b` is 0.
    pub(super) fn and_not(a: Raw, b: Raw) -> Raw {
        each(a, b, |a, b| a & !b)
    }

    pub(super) fn bits(a: Raw) -> u32 {
        (0..16).fold(0, |bits, i| bits | u32::from(a[i] >> 7) << i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_back_end_gives_the_plain_answers(a: [u8; 16], b: [u8; 16], low: u8, high: u8) {
            let (block, other) = (Block::load(&a), Block::load(&b));
            let mut out = [0; 16];
            block.eq(low).select(block, other).store(&mut out);
            let mask = plain::eq(plain::load(&a), plain::splat(low));
            let mut expected = [0; 16];
            plain::store(plain::or(plain::and(mask, a), plain::and_not(b, mask)), &mut expected);
            prop_assert_eq!(out, expected);
            prop_assert_eq!(block.bits(), plain::bits(a));
            let within = (0..16).fold(0, |bits, i| bits | u32::from((low..=high).contains(&a[i])) << i);
            prop_assert_eq!(block.within(low, high).bits(), within);
            if low <= high {
                let moved = plain::sub(a, plain::splat(low));
                prop_assert_eq!(plain::bits(plain::at_most(moved, plain::splat(high - low))), within);
            }
        }

        #[test]
        fn load8_reads_what_is_there_and_zeros_after_it(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut padded = bytes.clone();
            padded.resize(bytes.len().max(8), 0);
            prop_assert_eq!(load8(&bytes), u64::from_le_bytes(padded[..8].try_into().unwrap()));
        }

        #[test]
        fn a_block_near_the_end_of_the_slice_knows_its_length(len in 0usize..40, at in 0usize..50, end in 0usize..50) {
            let bytes: Vec<u8> = (1..=len as u8).collect();
            let (block, n) = block_at(&bytes, at, end);
            prop_assert_eq!(n, end.min(len).saturating_sub(at).min(16));
            let mut out = [0; 16];
            block.store(&mut out);
            prop_assert_eq!(&out[..n], bytes.get(at..at + n).unwrap_or(&[]));
        }
    }
}
