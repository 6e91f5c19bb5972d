//! Texts to try: well-formed ones, such with small faults, and heaps of what a type's reader looks out for.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::harness::Random;

/// What texts for a type are made of.
pub(super) struct Recipe {
    /// Texts that are tried as they are, and with changes.
    pub(super) examples: &'static [&'static str],
    /// Regular expressions of texts.
    pub(super) patterns: &'static [&'static str],
    /// What is inserted into others, or strung together.
    pub(super) tokens: &'static [&'static str],
}

/// Tokens that concern every type.
const COMMON: &[&str] =
    &[" ", "\t", "\n", "\u{b}", "-", "+", ".", ",", "0", "1", "9", "e", "\"", "'", "\\", "\u{a0}", "é", "null", ":"];

/// `count` texts that follow from `seed`.
pub(super) fn draw(recipe: &Recipe, count: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    let seed: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let texts = texts(recipe);
    let mut drawn: Vec<String> = recipe.examples.iter().map(|&text| text.to_owned()).collect();
    while drawn.len() < count {
        drawn.push(texts.new_tree(&mut runner).expect("every text is taken").current());
    }
    drawn
}

fn texts(recipe: &Recipe) -> BoxedStrategy<String> {
    let patterns = recipe.patterns.iter().map(|pattern| string_regex(pattern).expect("a pattern is sound").boxed());
    let made = proptest::strategy::Union::new(patterns).boxed();
    let tokens: Vec<&'static str> = recipe.tokens.iter().chain(COMMON).copied().collect();
    let base = prop_oneof![3 => made.clone(), 1 => proptest::sample::select(recipe.examples).prop_map(str::to_owned)];
    let change = (0..9_u8, any::<Index>(), any::<Index>(), proptest::sample::select(tokens.clone()));
    let changed = (base.boxed(), proptest::collection::vec(change, 1..4));
    let changed = changed.prop_map(|(text, changes)| {
        changes.into_iter().fold(text, |text, (kind, at, other, token)| alter(&text, kind, at, other, token))
    });
    let heap = proptest::collection::vec(proptest::sample::select(tokens), 0..7).prop_map(|parts| parts.concat());
    prop_oneof![9 => made, 9 => changed, 2 => heap].boxed()
}

/// `text` with one change of a `kind` at a place.
fn alter(text: &str, kind: u8, at: Index, other: Index, token: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let (at, other) = (at.index(letters.len() + 1), other.index(letters.len() + 1));
    let (start, end) = (at.min(other), at.max(other));
    let part = |from: usize, to: usize| letters[from..to].iter().collect::<String>();
    let (before, after) = (part(0, at), part(at, letters.len()));
    match kind {
        0 => before + &part((at + 1).min(letters.len()), letters.len()),
        1 | 2 => before + token + &after,
        3 => before + token + &part((at + 1).min(letters.len()), letters.len()),
        4 => part(0, end) + &part(start, letters.len()),
        5 => part(0, start) + &part(end, letters.len()),
        6 => before,
        7 => before + &after.to_uppercase(),
        _ => format!(" {text}\t"),
    }
}
