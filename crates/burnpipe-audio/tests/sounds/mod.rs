//! Sounds made of whole numbers, the same as `sound` of `features.py` makes.

/// So many samples of `"speech"`, a `"hum"`, a `"constant"` or `"silence"`.
pub(crate) fn sound(kind: &str, length: i64) -> Vec<f32> {
    let mut state = 1_i64;
    let mut sample = |n: i64| {
        state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF;
        let noise = (state >> 16) - 16_384;
        let tone = ((n * 7 % 200 - 100).abs() - 50) * 200;
        let overtone = ((n * 31 % 64 - 32).abs() - 16) * 150;
        let envelope = (n % 8000 - 4000).abs();
        ((tone + overtone) * envelope).div_euclid(4000) + (noise * (n / 3000 % 4)).div_euclid(64)
    };
    let value = |n: i64| match kind {
        "constant" => 3277,
        "silence" => 0,
        "hum" => sample(n).div_euclid(64) + 9000,
        _ => sample(n),
    };
    (0..length).map(value).map(|value| (value as f64 / 32_768.0) as f32).collect()
}
