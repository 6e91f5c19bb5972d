//! Names that a mistyped one may have meant.

/// Names that are at most this many letters away are told.
const DISTANCE_MAX: usize = 3;

/// More suggestions than this are noise.
const NAMES_MAX: usize = 3;

/// The names nearest to `name`, nearest first: those with few letters changed, or with the one inside the other.
pub(super) fn names(name: &str, known: Vec<String>) -> Vec<String> {
    let mut near: Vec<_> = known
        .into_iter()
        .map(|known| (distance(name, &known), known))
        .filter(|(distance, known)| {
            // Of a short name, most letters must be right.
            *distance <= DISTANCE_MAX.min(known.len() / 2) || contains_word(name, known) || contains_word(known, name)
        })
        .collect();
    near.sort();
    near.dedup();
    near.truncate(NAMES_MAX);
    near.into_iter().map(|(_, known)| known).collect()
}

/// Whether `part` is some of the words of `name`.
fn contains_word(name: &str, part: &str) -> bool {
    format!("-{name}-").contains(&format!("-{part}-"))
}

/// How many letters must be put in, taken out or changed to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (at, &second) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != second);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("window", "window"), 0);
        assert_eq!(distance("widow", "window"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn near_names_come_nearest_first_and_far_ones_not_at_all() {
        let known = || ["workers", "window", "time-column", "no-time-column", "null"].map(str::to_owned).to_vec();
        assert_eq!(names("worker", known()), ["workers"]);
        assert_eq!(names("column", known()), ["time-column", "no-time-column"]);
        assert_eq!(names("xyz", known()), [""; 0]);
    }
}
