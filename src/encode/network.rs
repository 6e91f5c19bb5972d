//! `inet` and `cidr`: family, bits of the netmask, whether it is a network, and the address.
//!
//! Texts are read as the server's `network_in` reads them: an `inet` needs all four octets of IPv4 unless a netmask
//! follows, while a `cidr` may leave octets out, and then takes its netmask from the address class.

use super::bytea::hex_digit;
use super::values::shown;

/// The server's numbers of the address families.
const IPV4: u8 = 2;
const IPV6: u8 = 3;
const OCTETS_4: usize = 4;
const OCTETS_6: usize = 16;

/// An address of either family with its netmask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    octets: [u8; OCTETS_6],
    /// How many octets count: 4 or 16.
    held: usize,
    bits: u8,
}

/// Appends the address that `text` spells; as a network, whose host part is zero, if it is a `cidr`.
pub(super) fn parse(text: &str, cidr: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let name = if cidr { "cidr" } else { "inet" };
    let network =
        read(text.as_bytes(), cidr).ok_or_else(|| format!("{} is not a value of type {name}", shown(text)))?;
    if cidr && !network.has_zero_host() {
        return Err(format!("{} has bits to the right of its mask", shown(text)));
    }
    let family = if network.held == OCTETS_4 { IPV4 } else { IPV6 };
    let held = if network.held == OCTETS_4 { 4 } else { 16 };
    out.extend_from_slice(&[family, network.bits, u8::from(cidr), held]);
    out.extend_from_slice(&network.octets[..network.held]);
    Ok(())
}

/// Appends what [`parse`] reads back to the same bytes.
pub(super) fn print(field: &[u8], out: &mut Vec<u8>) {
    let (head, octets) = field.split_at(4);
    let text: Vec<String> = if head[0] == IPV4 {
        octets.iter().map(u8::to_string).collect()
    } else {
        octets.chunks_exact(2).map(|pair| format!("{:x}", u16::from_be_bytes([pair[0], pair[1]]))).collect()
    };
    let separator = if head[0] == IPV4 { "." } else { ":" };
    out.extend_from_slice(format!("{}/{}", text.join(separator), head[1]).as_bytes());
}

fn read(text: &[u8], cidr: bool) -> Option<Network> {
    match (text.contains(&b':'), cidr) {
        (true, _) => read_6(text),
        (false, false) => read_inet_4(text),
        (false, true) => read_cidr_4(text),
    }
}

impl Network {
    fn v4(octets: &Octets, bits: u8) -> Self {
        let mut all = [0; OCTETS_6];
        all[..OCTETS_4].copy_from_slice(&octets.held);
        Self { octets: all, held: OCTETS_4, bits }
    }

    /// Whether all bits behind the netmask are zero.
    fn has_zero_host(&self) -> bool {
        let whole = usize::from(self.bits / 8);
        let host = self.octets[..self.held].get(whole..).unwrap_or_default();
        host.iter().enumerate().all(|(at, octet)| {
            let mask = if at == 0 { 0xff >> (self.bits % 8) } else { 0xff };
            octet & mask == 0
        })
    }
}

/// Octets of an IPv4 address as far as they were read.
#[derive(Default)]
struct Octets {
    held: [u8; OCTETS_4],
    count: usize,
}

impl Octets {
    fn push(&mut self, octet: u8) -> Option<()> {
        *self.held.get_mut(self.count)? = octet;
        self.count += 1;
        Some(())
    }
}

/// Decimal digits at the start of `rest`, which is moved behind them; `None` if there are none or they pass `most`.
fn number(rest: &mut &[u8], most: u32) -> Option<u8> {
    let digits = rest.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let value = rest[..digits]
        .iter()
        .try_fold(0, |value: u32, digit| Some(value * 10 + u32::from(digit - b'0')).filter(|value| *value <= most))?;
    *rest = &rest[digits..];
    if digits == 0 { None } else { u8::try_from(value).ok() }
}

/// The netmask that follows the octets of IPv4, or `implied` where nothing does.
fn read_mask_4(rest: &[u8], implied: Option<u8>) -> Option<u8> {
    let [b'/', mask @ ..] = rest else { return implied.filter(|_| rest.is_empty()) };
    let mut mask = mask;
    let bits = number(&mut mask, 32)?;
    mask.is_empty().then_some(bits)
}

/// A point may stand behind the last octet, as it may for the server.
fn read_inet_4(text: &[u8]) -> Option<Network> {
    let (mut octets, mut rest) = (Octets::default(), text);
    while rest.first().is_some_and(u8::is_ascii_digit) {
        octets.push(number(&mut rest, 255)?)?;
        match rest {
            [b'.', after @ ..] => rest = after,
            [] | [b'/', ..] => break,
            _ => return None,
        }
    }
    let bits = read_mask_4(rest, (octets.count == OCTETS_4).then_some(32))?;
    (octets.count > 0 && usize::from(bits / 8) <= octets.count).then(|| Network::v4(&octets, bits))
}

fn read_cidr_4(text: &[u8]) -> Option<Network> {
    let (octets, rest) = match text {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => hex_octets(digits)?,
        _ => decimal_octets(text)?,
    };
    let bits = read_mask_4(rest, Some(class_bits(&octets)))?;
    Some(Network::v4(&octets, bits))
}

/// Octets written as one hexadecimal number; an odd digit at the end is the upper half of its octet.
fn hex_octets(text: &[u8]) -> Option<(Octets, &[u8])> {
    let mut octets = Octets::default();
    let count = text.iter().take_while(|digit| digit.is_ascii_hexdigit()).count();
    let (digits, rest) = text.split_at(count);
    for pair in digits.chunks(2) {
        let low = pair.get(1).map_or(Some(0), |low| hex_digit(*low))?;
        octets.push(hex_digit(pair[0])? << 4 | low)?;
    }
    Some((octets, rest))
}

fn decimal_octets(text: &[u8]) -> Option<(Octets, &[u8])> {
    let (mut octets, mut rest) = (Octets::default(), text);
    loop {
        octets.push(number(&mut rest, 255)?)?;
        match rest {
            [b'.', after @ ..] => rest = after,
            _ => return Some((octets, rest)),
        }
    }
}

/// The netmask that the class of an address implies, widened to the octets that were given.
fn class_bits(octets: &Octets) -> u8 {
    let class = match octets.held[0] {
        0..=127 | 224..=239 => 8,
        128..=191 => 16,
        192..=223 => 24,
        240.. => 32,
    };
    let given = [0, 8, 16, 24, 32][octets.count];
    match class.max(given) {
        8 if octets.held[0] == 224 => 4,
        bits => bits,
    }
}

/// IPv6, perhaps with `::` for zeros, with IPv4 at its end, and with a netmask.
fn read_6(text: &[u8]) -> Option<Network> {
    let mut groups = Groups::default();
    let mut rest = text;
    if let [b':', after @ ..] = rest {
        rest = after.strip_prefix(b":").map(|_| after)?;
    }
    let (mut group_start, mut digits, mut value, mut bits) = (rest, 0, 0_u16, 128);
    while let [letter, after @ ..] = rest {
        rest = after;
        match letter {
            b':' if digits == 0 => {
                groups.gap = Some(groups.held).filter(|_| groups.gap.is_none());
                groups.gap?;
                group_start = rest;
            }
            b':' => {
                if rest.is_empty() {
                    return None;
                }
                groups.push(&value.to_be_bytes())?;
                (group_start, digits, value) = (rest, 0, 0);
            }
            b'.' => {
                let (octets, mask) = read_embedded_4(group_start)?;
                groups.push(&octets)?;
                (digits, bits) = (0, mask.unwrap_or(bits));
                break;
            }
            b'/' => {
                bits = plain_number(rest, 128)?;
                break;
            }
            _ => {
                value = value << 4 | u16::from(hex_digit(*letter)?);
                digits += 1;
                if digits > 4 {
                    return None;
                }
            }
        }
    }
    if digits > 0 {
        groups.push(&value.to_be_bytes())?;
    }
    Some(Network { octets: groups.spread()?, held: OCTETS_6, bits })
}

/// The octets of IPv6 as far as they were read, and where zeros were left out.
#[derive(Default)]
struct Groups {
    octets: [u8; OCTETS_6],
    held: usize,
    gap: Option<usize>,
}

impl Groups {
    fn push(&mut self, octets: &[u8]) -> Option<()> {
        self.octets.get_mut(self.held..self.held + octets.len())?.copy_from_slice(octets);
        self.held += octets.len();
        Some(())
    }

    /// All sixteen, with the zeros in their place.
    fn spread(mut self) -> Option<[u8; OCTETS_6]> {
        match self.gap {
            None => (self.held == OCTETS_6).then_some(self.octets),
            Some(_) if self.held == OCTETS_6 => None,
            Some(gap) => {
                let behind = self.held - gap;
                self.octets.copy_within(gap..self.held, OCTETS_6 - behind);
                self.octets[gap..OCTETS_6 - behind].fill(0);
                Some(self.octets)
            }
        }
    }
}

/// Four octets without superfluous zeros, and a netmask if there is one. Octets that are missing before a netmask, as
/// in `::1.2/96`, are zero; and one with no digit, as in `::1..2.3`, is too.
fn read_embedded_4(text: &[u8]) -> Option<([u8; OCTETS_4], Option<u8>)> {
    let mut octets = Octets::default();
    let mut rest = text;
    loop {
        let digits = rest.iter().take_while(|digit| digit.is_ascii_digit()).count();
        let octet = if digits == 0 { 0 } else { plain_number(&rest[..digits], 255)? };
        rest = &rest[digits..];
        match rest {
            [b'.', after @ ..] => rest = after,
            [b'/', mask @ ..] => {
                octets.push(octet)?;
                return Some((octets.held, Some(plain_number(mask, 128)?)));
            }
            [] if digits > 0 => {
                octets.push(octet)?;
                return Some((octets.held, None));
            }
            _ => return None,
        }
        octets.push(octet)?;
    }
}

/// A decimal number that is the whole text, without zeros before it.
fn plain_number(text: &[u8], most: u32) -> Option<u8> {
    let mut rest = text;
    let value = number(&mut rest, most)?;
    (rest.is_empty() && (text.len() == 1 || text[0] != b'0')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn sent(text: &str, cidr: bool) -> Option<String> {
        let mut out = Vec::new();
        parse(text, cidr, &mut out).ok()?;
        let (mut printed, mut again) = (Vec::new(), Vec::new());
        print(&out, &mut printed);
        parse(std::str::from_utf8(&printed).unwrap(), cidr, &mut again).unwrap();
        assert_eq!(out, again, "{text}");
        Some(hex(&out))
    }

    /// The server's own bytes, from `select inet_send('…')`.
    #[test]
    fn addresses_are_sent_as_the_server_sends_them() {
        for (text, bytes) in [
            ("10.0.0.1", "022000040a000001"),
            ("192.168.0.5/24", "02180004c0a80005"),
            ("10/8", "020800040a000000"),
            ("::1", "0380001000000000000000000000000000000001"),
            ("2001:db8::/32", "0320001020010db8000000000000000000000000"),
            ("::ffff:1.2.3.4", "0380001000000000000000000000ffff01020304"),
        ] {
            assert_eq!(sent(text, false).as_deref(), Some(bytes), "{text}");
        }
    }

    #[test]
    fn a_cidr_may_be_abbreviated_and_has_no_host_bits() {
        for (text, bytes) in [
            ("10.1", "021001040a010000"),
            ("192.168.1", "02180104c0a80100"),
            ("224", "02040104e0000000"),
            ("128", "0210010480000000"),
            ("0x0a01", "021001040a010000"),
            ("10.0.0.0/8", "020801040a000000"),
            ("::/0", "0300011000000000000000000000000000000000"),
        ] {
            assert_eq!(sent(text, true).as_deref(), Some(bytes), "{text}");
        }
        for text in ["10.0.0.1/8", "192.168.0.129/25", "::1/127", "1.2.3.4/0"] {
            assert_eq!(sent(text, true), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "10",
            "10.1",
            "256.0.0.1",
            "1.2.3.4.5",
            "1.2.3.4/33",
            "1.2.3.4/",
            " 1.2.3.4",
            "1.2.3.4 ",
            "10/16",
            ":",
            ":::",
            "1:2",
            "::1::",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "::g",
            "::1/129",
            "::1/01",
            "1:",
            "::1.2.3.256",
            "::01.2.3.4",
        ] {
            assert_eq!(sent(text, false), None, "{text}");
        }
    }
}
