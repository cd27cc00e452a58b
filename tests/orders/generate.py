#!/usr/bin/env python3
"""Makes the input of the pipeline `orders`: made-up orders as JSON lines, some of them broken on purpose.

usage: generate.py [--rows N] [--seed S] OUT.ndjson        (`-` writes to standard output)

The same arguments give the same bytes with every Python from 3.8 on. A record takes 267 bytes on average. Event times
rise over two hours, whatever the number of rows; one record in four comes up to 30 s late. About one record in twenty
is broken, in one of the ways of `BREAKS`, each as often as the others.
"""
import argparse
import json
import random
import sys

# Event times begin here and span two hours; far enough back that no clock takes them for the future.
DAY, FIRST_HOUR = "2025-09-16", 8
SPAN_MS = 2 * 60 * 60 * 1000
OUT_OF_ORDER, MOST_LATE_MS = 0.25, 30_000
BROKEN = 0.05

STATUSES = {"pending": 3, "paid": 6, "shipped": 4, "delivered": 5, "cancelled": 1, "returned": 1}
COUNTRIES = ["AT", "AU", "BE", "CA", "CH", "DE", "DK", "FI", "GR", "IE", "NO", "PT"]
GIVEN = ["ada", "alan", "anita", "barbara", "claude", "dennis", "edsger", "emmy", "florence", "grete", "hedy", "john",
         "karen", "katherine", "ken", "leslie", "margaret", "radia", "sophie", "tony"]
FAMILY = ["archer", "baker", "carter", "fischer", "fletcher", "gardener", "lehmann", "mason", "miller", "schneider",
          "tailor", "weaver"]
# Names that RFC 2606 keeps free of real people.
DOMAINS = ["example.com", "example.net", "shop.example.org", "mail.example.net", "north.example.com"]
WORDS = ("and at back bell box bring by careful deliver door down fence floor for from front garage gate green "
         "hand hall house in inside key leave left letter near neighbour next note of office on over parcel please "
         "porch red reception right shed side sign small stairs table take the third to under upstairs wait wall "
         "window with yellow").split()
# What must survive escapes, quotes and other alphabets.
ODD = ['mark it "urgent"', "first line\nsecond line", "h\u00f6tel \u00c9toile", "\u5317\u4eac \u8def 5", "tab\tbetween",
       "C:\\orders\\new", "\U0001f4e6 inside", "20% off, paid @ the desk"]


def digits(rng, count):
    """`count` digits as text, the first of them not 0."""
    return str(rng.randrange(10 ** (count - 1), 10 ** count))


def email(rng):
    name = rng.choice(GIVEN) + rng.choice("._-") + rng.choice(FAMILY)
    return f"{name}{rng.randrange(1000)}@{rng.choice(DOMAINS)}"


def phone(rng):
    shape = rng.choice(["+43 1 {} {}", "+1-{}-{}", "0{}{}"])
    return shape.format(digits(rng, 4), digits(rng, 5))


def note(rng):
    """A few words; now and then with an e-mail address, a phone number, or characters that need care."""
    words = rng.choices(WORDS, k=rng.randrange(3, 9))
    chance = rng.random()
    if chance < 0.06:
        addresses = [email(rng) + rng.choice(["", "", "", ",", ".", "!", ")", ";"])]
        if chance < 0.01:
            addresses.append(email(rng))
        for address in addresses:
            words.insert(rng.randrange(len(words) + 1), address)
    elif chance < 0.10:
        words.insert(rng.randrange(len(words) + 1), phone(rng))
    elif chance < 0.13:
        words.append(rng.choice(ODD))
    return " ".join(words)


def amount(rng):
    """1.00 to 4,999.99: as text in three forms, or as a JSON number."""
    cents = rng.randrange(100, 500_000)
    plain = f"{cents // 100}.{cents % 100:02}"
    chance = rng.random()
    if chance < 0.70:
        return plain
    if chance < 0.80:
        return f"{cents // 100:,}.{cents % 100:02}"
    if chance < 0.85:
        return f" {plain} "
    return cents // 100 if cents % 100 == 0 else cents / 100


def quantity(rng):
    """1 to 1,000, mostly small; now and then as text."""
    number = rng.randrange(1, 1001) if rng.random() < 0.1 else rng.randrange(1, 25)
    return str(number) if rng.random() < 0.05 else number


def event_time(rng, row, rows):
    ms = row * SPAN_MS // rows
    if rng.random() < OUT_OF_ORDER:
        ms = max(0, ms - rng.randrange(1, MOST_LATE_MS + 1))
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{DAY}T{FIRST_HOUR + hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z"


def order(rng, row, rows):
    return {
        "order_id": f"ord-{rng.getrandbits(48):012x}",
        "customer_id": f"cust-{rng.randrange(60_000):06}",
        "email": None if rng.random() < 0.01 else email(rng),
        "phone": phone(rng),
        "status": rng.choices(list(STATUSES), list(STATUSES.values()))[0],
        "amount": amount(rng),
        "quantity": quantity(rng),
        "country": rng.choice(COUNTRIES),
        "ts": event_time(rng, row, rows),
        "note": note(rng),
    }


def without_json(rng, record, text):
    """The record's line as no JSON object."""
    line = text(record)
    return rng.choice([
        line[: rng.randrange(10, len(line) - 1)],  # cut off
        line.replace(":", " ", 1),                 # a colon is missing
        line[:-1] + ",}",                          # a comma too many
        line.replace('"', "'"),                    # quotes of another language
        f"[{line}]",                               # JSON, but no object
        "order follows by fax",
    ])


def without_id(rng, record, text):
    if rng.random() < 0.3:
        del record["order_id"]
    else:
        record["order_id"] = rng.choice([None, ""])
    return text(record)


def with_one_of(field, values):
    def broken(rng, record, text):
        record[field] = rng.choice(values)
        return text(record)

    return broken


# Ways to break a record, by the reason under which it is to be found again.
BREAKS = {
    "malformed_json": without_json,
    "missing_order_id": without_id,
    "bad_status": with_one_of("status", ["Paid", "lost", "shipped!", "", "in transit", None]),
    "bad_quantity": with_one_of("quantity", [0, -3, 1001, 70000, 2.5, "0", "1500", "a dozen", "", None]),
    "bad_amount": with_one_of("amount", ["free", "", "7.8.9", "-", "12,x", "EUR 5.00", None]),
    "bad_ts": with_one_of("ts", ["soon", "", "2025-02-30T08:00:00.000Z", "16.09.2025 08:00", "2025-09-16T25:00:00.000Z",
                                 None]),
}


def lines(rng, rows):
    # half of the producers escape what is not ASCII
    encoders = [json.JSONEncoder(ensure_ascii=escape, separators=(",", ":")).encode for escape in (False, True)]
    breaks = list(BREAKS.values())
    for row in range(rows):
        record, text = order(rng, row, rows), rng.choice(encoders)
        yield rng.choice(breaks)(rng, record, text) if rng.random() < BROKEN else text(record)


def main():
    args = argparse.ArgumentParser(description="Makes the input of the pipeline `orders`.")
    args.add_argument("--rows", type=int, default=1_000_000)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("out")
    args = args.parse_args()
    if args.rows < 1:
        sys.exit(f"--rows {args.rows}: at least 1 is needed")
    to = sys.stdout.fileno() if args.out == "-" else args.out
    with open(to, "w", encoding="utf-8", newline="\n", closefd=args.out != "-") as out:
        for line in lines(random.Random(args.seed), args.rows):
            out.write(line + "\n")


if __name__ == "__main__":
    main()
