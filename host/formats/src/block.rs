//! Blocks of 32 bytes: what the decoder loads, compares and copies at once.
//!
//! With AVX2 (the workspace builds for x86-64-v3) a block is one register; elsewhere plain loops do the same.

/// Bytes in a block.
pub(crate) const BLOCK: usize = 32;

/// Bytes that must be readable after a record: two blocks may be read from any place up to its end.
pub(crate) const SLACK: usize = 2 * BLOCK;

/// 32 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block(Inner);

impl Block {
    /// The 32 bytes from `at` on. Panics where the slice is shorter.
    #[inline(always)]
    pub(crate) fn load(bytes: &[u8], at: usize) -> Self {
        let (block, _) = bytes[at..].split_first_chunk::<BLOCK>().expect("a block is readable");
        Self(Inner::load(block))
    }

    /// Puts the block to `at`. Panics where the slice is shorter.
    #[inline(always)]
    pub(crate) fn store(self, bytes: &mut [u8], at: usize) {
        let (block, _) = bytes[at..].split_first_chunk_mut::<BLOCK>().expect("a block is writable");
        self.0.store(block);
    }

    /// One bit for each byte that ends or complicates a JSON string: `"`, `\` and control characters.
    #[inline(always)]
    pub(crate) fn string_stops(self) -> u32 {
        self.0.string_stops()
    }

    /// One bit for each byte that is the same in both.
    #[inline(always)]
    pub(crate) fn equal(self, other: Self) -> u32 {
        self.0.equal(other.0)
    }
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
use avx2::Inner;
#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
use plain::Inner;

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
mod avx2 {
    use super::BLOCK;
    use core::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(super) struct Inner(__m256i);

    // SAFETY of all that follows: this module exists only where AVX2 is a feature of the compilation target; loads and
    // stores are unaligned ones of exactly 32 bytes behind a reference to 32 bytes.
    impl Inner {
        #[inline(always)]
        pub(super) fn load(block: &[u8; BLOCK]) -> Self {
            // SAFETY: see above
            Self(unsafe { _mm256_loadu_si256(block.as_ptr().cast()) })
        }

        #[inline(always)]
        pub(super) fn store(self, block: &mut [u8; BLOCK]) {
            // SAFETY: see above
            unsafe { _mm256_storeu_si256(block.as_mut_ptr().cast(), self.0) }
        }

        #[inline(always)]
        pub(super) fn string_stops(self) -> u32 {
            // SAFETY: see above
            unsafe {
                let quote = _mm256_cmpeq_epi8(self.0, _mm256_set1_epi8(b'"' as i8));
                let escape = _mm256_cmpeq_epi8(self.0, _mm256_set1_epi8(b'\\' as i8));
                let control = _mm256_cmpeq_epi8(_mm256_min_epu8(self.0, _mm256_set1_epi8(0x1f)), self.0);
                _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, escape), control)) as u32
            }
        }

        #[inline(always)]
        pub(super) fn equal(self, other: Self) -> u32 {
            // SAFETY: see above
            unsafe { _mm256_movemask_epi8(_mm256_cmpeq_epi8(self.0, other.0)) as u32 }
        }
    }
}

#[cfg_attr(all(target_arch = "x86_64", target_feature = "avx2"), allow(dead_code))] // there only its test calls it
mod plain {
    use super::BLOCK;

    #[derive(Clone, Copy)]
    pub(super) struct Inner([u8; BLOCK]);

    impl Inner {
        pub(super) fn load(block: &[u8; BLOCK]) -> Self {
            Self(*block)
        }

        pub(super) fn store(self, block: &mut [u8; BLOCK]) {
            *block = self.0;
        }

        pub(super) fn string_stops(self) -> u32 {
            self.bits(|_, byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
        }

        pub(super) fn equal(self, other: Self) -> u32 {
            self.bits(|i, byte| byte == other.0[i])
        }

        fn bits(self, test: impl Fn(usize, u8) -> bool) -> u32 {
            let bit = |(i, byte): (usize, &u8)| u32::from(test(i, *byte)) << i;
            self.0.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_block_of_this_machine_does_what_the_plain_one_does(
            a in prop::array::uniform32(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\')]),
            b in prop::array::uniform32(any::<u8>()),
        ) {
            let (fast, plain) = (Block::load(&a, 0), plain::Inner::load(&a));
            prop_assert_eq!(fast.string_stops(), plain.string_stops());
            prop_assert_eq!(fast.equal(Block::load(&b, 0)), plain.equal(plain::Inner::load(&b)));
            let (mut x, mut y) = ([0; BLOCK], [0; BLOCK]);
            fast.store(&mut x, 0);
            plain.store(&mut y);
            prop_assert_eq!((x, y), (a, a));
        }
    }
}
