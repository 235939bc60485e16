//! Records and snapshots in the areas of a NOR flash, whatever its words and pages; the example of
//! a [`Store`] for a microcontroller.
//!
//! An area begins with its number, twice, and goes on with items: length, bytes, checksum, mark.
//! The area with the highest number is in office, the next one in the ring is the next to be
//! erased. A record that begins anew, and every start, moves what counts there: first the items,
//! then the number. So there is no moment without a whole area.
//!
//! - *A start moves*, because nobody can see whether the last words hang between: those that were
//!   read may read as something else tomorrow, those behind may be half programmed already.
//! - *Three areas*, because this holds of the number too. If power fails in it and again in the
//!   start, the area may be in office at the first look and not at the second; of two areas the
//!   other one is erased by then.
//! - *The number twice*, because a bit of it that decays would put the area before in office.
//! - *A mark behind each item*, because a power cut leaves none, and decay does not take it away:
//!   an item with a mark was whole once.
//!
//! All this stands two power cuts one after the other, if only one of them leaves something half
//! done. A journal that is full fails: compact before.

use embedded_storage::nor_flash::NorFlash;
use raft_core::{RECORD_HEADER_BYTES_MAX, Snapshot, Write};
use simulator::contract::{Failed, Medium, Refusal, Store, checksum};

/// All fields are so many bytes, a multiple of every size of a word.
const FIELD: usize = 8;
const MARK: [u8; FIELD] = *b"is whole";
const BLANK: [u8; FIELD] = [0xff; FIELD];
/// The number of an area, twice.
const HEADER_BYTES: usize = 2 * FIELD;

/// What is done wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mistake {
    None,
    /// The old areas are erased before the new one is complete.
    ErasesFirst,
    /// The number is programmed before the items.
    HeaderFirst,
    /// What a good length promises is taken as it is.
    TrustsLength,
    /// A start takes what it reads for stored, and goes on behind the last whole item.
    StaysPut,
    /// What looks blank is not erased again.
    BelievesInBlank,
    /// There are two areas.
    TwoAreas,
    /// The number stands there once.
    OneHeader,
}

/// The journal and the snapshots of one node.
#[derive(Debug)]
pub(super) struct Journal<F> {
    flash: F,
    mistake: Mistake,
    /// Which area is in office, and its number.
    office: Option<(usize, u32)>,
    /// Where the next item goes, from the beginning of the area.
    end: usize,
}

enum Item {
    Record(Vec<u8>),
    Snapshot(u64, Vec<u8>),
}

enum Found {
    Whole(Vec<u8>, usize),
    /// Nothing, or what a power cut left.
    End,
    Damaged,
}

impl<F: NorFlash> Journal<F> {
    /// A journal on a flash that holds one, or nothing.
    pub(super) fn new(flash: F, mistake: Mistake) -> Self {
        Journal {
            flash,
            mistake,
            office: None,
            end: 0,
        }
    }

    fn areas(&self) -> usize {
        match self.mistake {
            Mistake::TwoAreas => 2,
            _ => 3,
        }
    }

    fn area_bytes(&self) -> usize {
        self.flash.capacity() / self.areas() / F::ERASE_SIZE * F::ERASE_SIZE
    }

    /// The first bytes of an area.
    fn read(&mut self, area: usize, len: usize) -> Result<Vec<u8>, Failed> {
        let mut bytes = vec![0; len];
        let start = area * self.area_bytes();
        let read = self.flash.read(start as u32, &mut bytes);
        read.map(|()| bytes).map_err(|_| Failed)
    }

    fn write(&mut self, area: usize, place: usize, bytes: &[u8]) -> Result<(), Failed> {
        if place + bytes.len() > self.area_bytes() {
            return Err(Failed);
        }
        let start = area * self.area_bytes() + place;
        self.flash.write(start as u32, bytes).map_err(|_| Failed)
    }

    fn erase(&mut self, area: usize) -> Result<(), Failed> {
        let (start, len) = (area * self.area_bytes(), self.area_bytes());
        if self.mistake == Mistake::BelievesInBlank {
            let bytes = self.read(area, len)?;
            if bytes.iter().all(|byte| *byte == 0xff) {
                return Ok(());
            }
        }
        let (from, to) = (start as u32, (start + len) as u32);
        self.flash.erase(from, to).map_err(|_| Failed)
    }

    /// The items of an area that is in office.
    fn items(&self, bytes: &[u8]) -> Result<Vec<Item>, Refusal> {
        let (mut items, mut place) = (Vec::new(), HEADER_BYTES);
        loop {
            match find(&bytes[place..], self.mistake) {
                Found::Whole(item, len) => {
                    items.extend(Item::decode(item));
                    place += len;
                }
                Found::End => return Ok(items),
                Found::Damaged => {
                    return Err(Refusal::Damaged(format!("the item at {place}")));
                }
            }
        }
    }

    /// Puts an item behind the others.
    fn push(&mut self, area: usize, item: &Item) -> Result<(), Failed> {
        let bytes = item.encode();
        self.write(area, self.end, &bytes)?;
        self.write(area, self.end + bytes.len(), &MARK)?;
        self.end += bytes.len() + FIELD;
        Ok(())
    }

    /// The next area gets these items, and comes into office.
    fn move_on(&mut self, items: &[Item]) -> Result<(), Failed> {
        let (next, number) = match self.office {
            Some((area, number)) => ((area + 1) % self.areas(), number + 1),
            None => (0, 1),
        };
        if self.mistake == Mistake::ErasesFirst {
            (0..self.areas()).try_for_each(|area| self.erase(area))?;
        }
        self.erase(next)?;
        if self.mistake == Mistake::HeaderFirst {
            self.write_number(next, number)?;
        }
        self.end = HEADER_BYTES;
        items.iter().try_for_each(|item| self.push(next, item))?;
        if self.mistake != Mistake::HeaderFirst {
            self.write_number(next, number)?;
        }
        self.office = Some((next, number));
        Ok(())
    }

    fn write_number(&mut self, area: usize, number: u32) -> Result<(), Failed> {
        self.write(area, 0, &twice(number))?;
        if self.mistake != Mistake::OneHeader {
            self.write(area, FIELD, &twice(number))?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Vec<Vec<u8>>, Refusal> {
        let unusable = |Failed| Refusal::Unusable("the flash".into());
        let mut latest = None;
        for area in 0..self.areas() {
            let header = self.read(area, HEADER_BYTES).map_err(unusable)?;
            let found = header.chunks(FIELD).find_map(number);
            latest = latest.max(found.map(|number| (number, area)));
        }
        let Some((number, area)) = latest else {
            self.office = None;
            return Ok(Vec::new());
        };
        self.office = Some((area, number));
        let bytes = self.read(area, self.area_bytes()).map_err(unusable)?;
        let items = self.items(&bytes)?;
        if self.mistake == Mistake::StaysPut {
            let lens = items.iter().map(|item| item.encode().len() + FIELD);
            self.end = HEADER_BYTES + lens.sum::<usize>();
        } else {
            self.move_on(&items).map_err(unusable)?;
        }
        let records = items.into_iter().filter_map(|item| match item {
            Item::Record(bytes) => Some(bytes),
            Item::Snapshot(..) => None,
        });
        Ok(records.collect())
    }

    /// The snapshots that are kept.
    fn snapshots(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let Some((area, _)) = self.office else {
            return Ok(Vec::new());
        };
        let bytes = self.read(area, self.area_bytes());
        let bytes = bytes.map_err(|Failed| Refusal::Unusable("the flash".into()))?;
        let items = self.items(&bytes)?.into_iter();
        let snapshots = items.filter_map(|item| match item {
            Item::Snapshot(index, bytes) => Some((index, bytes)),
            Item::Record(_) => None,
        });
        Ok(snapshots.collect())
    }
}

/// A number, and its complement.
fn twice(number: u32) -> [u8; FIELD] {
    let field = u64::from(number) | u64::from(!number) << 32;
    field.to_le_bytes()
}

fn number(field: &[u8]) -> Option<u32> {
    let number = u32::from_le_bytes(*field.first_chunk()?);
    (field == twice(number)).then_some(number)
}

/// The item at the beginning of these bytes.
fn find(bytes: &[u8], mistake: Mistake) -> Found {
    let Some((head, rest)) = bytes.split_first_chunk::<FIELD>() else {
        return Found::End;
    };
    let Some(len) = number(head) else {
        // The length is programmed first: where something follows it was whole.
        let is_last = rest.iter().all(|byte| *byte == 0xff);
        return if is_last { Found::End } else { Found::Damaged };
    };
    let len = len as usize;
    let Some((body, rest)) = rest.split_at_checked(len.next_multiple_of(FIELD)) else {
        return Found::Damaged;
    };
    let (Some(sum), Some(mark)) = (rest.get(..FIELD), rest.get(FIELD..2 * FIELD)) else {
        return Found::Damaged;
    };
    let is_right = checksum(&body[..len]).to_le_bytes() == sum;
    if is_right || mistake == Mistake::TrustsLength {
        return Found::Whole(body[..len].to_vec(), FIELD + body.len() + 2 * FIELD);
    }
    if mark == BLANK {
        Found::End
    } else {
        Found::Damaged
    }
}

impl Item {
    /// Length, bytes and checksum, in whole fields.
    fn encode(&self) -> Vec<u8> {
        let body = match self {
            Item::Record(bytes) => [b"r", &bytes[..]].concat(),
            Item::Snapshot(index, bytes) => [b"s", &index.to_le_bytes()[..], bytes].concat(),
        };
        let mut bytes = twice(body.len() as u32).to_vec();
        bytes.extend_from_slice(&body);
        bytes.resize(bytes.len().next_multiple_of(FIELD), 0xff);
        bytes.extend_from_slice(&checksum(&body).to_le_bytes());
        bytes
    }

    fn decode(body: Vec<u8>) -> Option<Item> {
        match body.split_first()? {
            (b's', rest) => {
                let (index, bytes) = rest.split_first_chunk()?;
                Some(Item::Snapshot(u64::from_le_bytes(*index), bytes.to_vec()))
            }
            (_, record) => Some(Item::Record(record.to_vec())),
        }
    }
}

impl<F: NorFlash + Medium> Store for Journal<F> {
    fn open(&mut self) -> Result<Vec<Vec<u8>>, Refusal> {
        self.start()
    }

    fn append(&mut self, write: &Write<'_>) -> Result<(), Failed> {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = Item::Record(write.record(&mut scratch).concat());
        let office = self.office.filter(|_| !write.begins_anew());
        if let Some((area, _)) = office {
            return self.push(area, &record);
        }
        // This record stands for all before it, and for all snapshots but its own.
        let index = write.snapshot().map_or(0, |name| name.last.index.value());
        let mut snapshots = self.snapshots().map_err(|_| Failed)?;
        snapshots.retain(|(other, _)| *other >= index);
        let snapshots = snapshots.into_iter();
        let kept = snapshots.map(|(index, bytes)| Item::Snapshot(index, bytes));
        let items: Vec<_> = kept.chain([record]).collect();
        self.move_on(&items)
    }

    fn save(&mut self, name: &Snapshot, bytes: &[u8]) -> Result<(), Failed> {
        let (area, _) = self.office.ok_or(Failed)?;
        self.push(
            area,
            &Item::Snapshot(name.last.index.value(), bytes.to_vec()),
        )
    }

    fn load(&mut self, name: &Snapshot) -> Result<Vec<u8>, Refusal> {
        let is_it = |bytes: &[u8]| {
            bytes.len() as u64 == name.size && checksum(bytes) as u32 == name.checksum
        };
        let mut snapshots = self.snapshots()?.into_iter();
        let found = snapshots.find(|(_, bytes)| is_it(bytes));
        let bytes = found.map(|(_, bytes)| bytes);
        bytes.ok_or_else(|| Refusal::Snapshot(format!("of entry {}", name.last.index)))
    }

    fn medium(&mut self) -> &mut dyn Medium {
        &mut self.flash
    }
}
