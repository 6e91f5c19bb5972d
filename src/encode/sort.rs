//! The server's own sort, which tells what it makes of values that are equal but not the same.
//!
//! A multirange keeps the bounds of one of two ranges that touch, and an hstore one of the values of a key, by the order
//! in which an unstable sort has left them. It is the quicksort of Bentley and `McIlroy` ("Engineering a sort function",
//! 1993) with a look for sorted input first, as in the server's `sort_template.h`.

use std::cmp::Ordering;

/// Shorter slices are sorted by insertion.
const INSERTION_LENGTH: usize = 7;
/// Longer slices take their pivot from nine places instead of three.
const NINTHER_LENGTH: usize = 40;

/// Sorts `items` as the server does: those that are equal end up in the order in which they do there.
pub(super) fn sort<T>(items: &mut [T], order: &impl Fn(&T, &T) -> Ordering) {
    let mut rest = items;
    loop {
        if rest.len() < INSERTION_LENGTH {
            return insert_all(rest, order);
        }
        if rest.is_sorted_by(|one, next| order(one, next) != Ordering::Greater) {
            return;
        }
        let pivot = pivot(rest, order);
        rest.swap(0, pivot);
        let (below, above) = partition(rest, order);
        let middle = rest.len() - above;
        let (left, right) = rest.split_at_mut(middle);
        let left = &mut left[..below];
        // Whichever is longer is gone on with, so that the stack stays small.
        let (shorter, longer) = if below <= above { (left, right) } else { (right, left) };
        sort(shorter, order);
        rest = longer;
    }
}

fn insert_all<T>(items: &mut [T], order: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && order(&items[at - 1], &items[at]) == Ordering::Greater {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// The place of an item that is likely to have as many above it as below.
fn pivot<T>(items: &[T], order: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (first, middle, last) = (0, items.len() / 2, items.len() - 1);
    if items.len() == INSERTION_LENGTH {
        return middle;
    }
    let median = |one, two, three| median(items, [one, two, three], order);
    if items.len() <= NINTHER_LENGTH {
        return median(first, middle, last);
    }
    let step = items.len() / 8;
    median(
        median(first, first + step, first + 2 * step),
        median(middle - step, middle, middle + step),
        median(last - 2 * step, last - step, last),
    )
}

fn median<T>(items: &[T], [one, two, three]: [usize; 3], order: &impl Fn(&T, &T) -> Ordering) -> usize {
    let is = |left: usize, right: usize, wanted| order(&items[left], &items[right]) == wanted;
    let rising = is(one, two, Ordering::Less);
    if rising && is(two, three, Ordering::Less) || !rising && is(two, three, Ordering::Greater) {
        return two;
    }
    // The middle one is an end: which, depends on how the outer two stand to each other.
    if is(one, three, Ordering::Less) == rising { three } else { one }
}

/// Puts items below the first one at the start and those above it at the end, equal ones between. Gives how many are
/// below and how many above.
fn partition<T>(items: &mut [T], order: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let count = items.len();
    // Equal ones gather at both ends: before `equal_low`, and behind `equal_high`.
    let (mut equal_low, mut low) = (1, 1);
    let (mut equal_high, mut high) = (count - 1, count - 1);
    loop {
        while low <= high {
            match order(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal_low, low);
                    equal_low += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low <= high {
            match order(&items[high], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(high, equal_high);
                    equal_high -= 1;
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low > high {
            break;
        }
        items.swap(low, high);
        low += 1;
        high -= 1;
    }
    let (below, above) = (low - equal_low, equal_high - high);
    swap_ends(items, 0..low, equal_low.min(below));
    swap_ends(items, low..count, above.min(count - 1 - equal_high));
    (below, above)
}

/// Swaps the first `length` items of a range with its last.
fn swap_ends<T>(items: &mut [T], range: std::ops::Range<usize>, length: usize) {
    for at in 0..length {
        items.swap(range.start + at, range.end - length + at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sorted_is_in_order(mut items in prop::collection::vec(0..50_u32, 0..300)) {
            let mut expected = items.clone();
            expected.sort_unstable();
            sort(&mut items, &Ord::cmp);
            prop_assert_eq!(items, expected);
        }
    }

    #[test]
    fn equal_items_are_moved_as_the_server_moves_them() {
        let sorted = |keys: &[u32]| {
            let mut items: Vec<_> = keys.iter().copied().zip(0..).collect();
            sort(&mut items, &|one: &(u32, u32), next: &(u32, u32)| one.0.cmp(&next.0));
            items.into_iter().map(|(_, place)| place).collect::<Vec<u32>>()
        };
        // Few items, and those in order, keep their order.
        assert_eq!(sorted(&[2, 1, 2, 1]), [1, 3, 0, 2]);
        assert_eq!(sorted(&[1, 1, 1, 1, 1, 1, 1, 1]), [0, 1, 2, 3, 4, 5, 6, 7]);
        // Of seven the fourth is the pivot, and is swapped with the first.
        assert_eq!(sorted(&[1, 1, 1, 1, 1, 1, 0]), [6, 1, 2, 0, 4, 5, 3]);
    }
}
