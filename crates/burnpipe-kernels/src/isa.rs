//! Which instructions an operation is run with.

use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

/// Runs an operation with the best instructions that this machine has.
pub(crate) fn dispatch<Op: SimdOp>(op: Op) -> Op::Output {
    #[cfg(test)]
    match tests::forced().as_deref() {
        Some("plain") => return op.eval(rten_simd::isa::GenericIsa::new()),
        #[cfg(target_arch = "x86_64")]
        Some("avx2") => {
            if let Some(isa) = rten_simd::isa::Avx2Isa::new() {
                return op.eval(isa);
            }
        }
        _ => {}
    }
    op.dispatch()
}

/// Runs a part of an operation; on AVX2 as a function of its own.
///
/// AVX2 has 16 registers. A loop that needs nearly all of them shares them with the constants of whatever code
/// it is inlined into, and then its sums go through memory: matrix products took twice as long. The closure has
/// to be `#[inline(always)]`.
#[inline(always)]
pub(crate) fn apart<I: Isa, T>(isa: I, part: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    if isa.f32().len() == 8 {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma,f16c")]
        fn with_avx2<T>(part: impl FnOnce() -> T) -> T {
            part()
        }
        // SAFETY: only AVX2 has vectors of eight, and its `Isa` is made only where the processor has them.
        return unsafe { with_avx2(part) };
    }
    part()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::OnceLock;

    const VARIABLE: &str = "BURNPIPE_TEST_INSTRUCTIONS";

    /// The instructions that the tests are run with, if not the best.
    pub(super) fn forced() -> Option<String> {
        static FORCED: OnceLock<Option<String>> = OnceLock::new();
        FORCED.get_or_init(|| std::env::var(VARIABLE).ok()).clone()
    }

    /// Every test of this crate again, on the instructions of lesser machines.
    #[test]
    #[cfg_attr(miri, ignore = "it starts a process; Miri has plain instructions only")]
    fn other_instructions_give_the_same_answers() {
        if forced().is_some() {
            return;
        }
        for instructions in ["plain", "avx2"] {
            let tests = std::env::current_exe().unwrap();
            let output = Command::new(tests).env(VARIABLE, instructions).output().unwrap();
            assert!(output.status.success(), "{instructions}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}
