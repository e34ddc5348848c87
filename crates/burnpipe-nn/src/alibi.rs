//! Attention with linear biases (ALiBi, arXiv 2108.12409): scores fall by the distance of a key, in each head by
//! another slope.
//!
//! Reference: `build_alibi_tensor` of `modeling_bloom.py` and `modeling_falcon.py` of transformers 4.56.2. Like them
//! it adds slope times place of the key: for one query that is the distance but for a constant, which softmax does
//! not see.

use half::bf16;

/// The slope of every head: `2^(-8 i / heads)` for a power of two heads. Other counts take those of the power below,
/// then every second one of the power above.
pub fn alibi_slopes(heads: usize) -> Vec<f32> {
    let below = 1 << heads.max(1).ilog2();
    let powers = |count: usize| {
        let base = 2.0_f64.powf(-8.0 / count as f64) as f32;
        (1..=count).map(move |power| base.powf(power as f32))
    };
    powers(below).chain(powers(2 * below).step_by(2)).take(heads).collect()
}

/// The biases of so many places, `[heads, places]`, to be added to scaled scores.
pub fn alibi(slopes: &[f32], places: usize) -> Vec<f32> {
    slopes.iter().flat_map(|slope| (0..places).map(move |place| slope * place as f32)).collect()
}

/// The biases as Falcon has them: rounded to bfloat16 whatever the type of the model, and scaled as scores are.
pub fn alibi_in_bf16(slopes: &[f32], places: usize, head_dim: usize) -> Vec<f32> {
    let rounded = |value: f32| bf16::from_f32(value).to_f32();
    let root = (head_dim as f32).sqrt();
    let bias = |slope: f32, place: usize| rounded(rounded(slope) * rounded(place as f32)) / root;
    slopes.iter().flat_map(|&slope| (0..places).map(move |place| bias(slope, place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(left: &[f32], right: &[f64]) {
        assert_eq!(left.len(), right.len());
        for (left, right) in left.iter().zip(right) {
            assert!((f64::from(*left) / right - 1.0).abs() < 1e-6, "{left}, not {right}");
        }
    }

    #[test]
    fn slopes_are_powers_of_two_parts() {
        let power = |exponent: f64| 2.0_f64.powf(exponent);
        assert_near(&alibi_slopes(1), &[power(-8.0)]);
        assert_near(&alibi_slopes(4), &[-2.0, -4.0, -6.0, -8.0].map(power));
        // Two of those of eight heads: the first and the third.
        assert_near(&alibi_slopes(6), &[-2.0, -4.0, -6.0, -8.0, -1.0, -3.0].map(power));
        assert!(alibi_slopes(0).is_empty());
    }

    #[test]
    fn biases_grow_with_the_place_and_falcons_are_rounded() {
        assert_eq!(alibi(&[0.5, 0.25], 3), [0.0, 0.5, 1.0, 0.0, 0.25, 0.5]);
        // bfloat16 has 8 bits: 0.7071 is 181/256, 257 is 256; 181 is a product that fits.
        let biases = alibi_in_bf16(&[0.5_f32.sqrt()], 258, 4);
        assert_eq!(biases[257], 181.0 / 2.0);
        assert_eq!(biases[3], 2.125 / 2.0);
    }
}
