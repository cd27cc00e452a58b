#!/usr/bin/env python3
"""Says what the pipeline `orders` must make of its input: its rules once more, in plain Python, one record at a time.

usage: expected.py INPUT.ndjson OUT.json [--silver SILVER.ndjson]

OUT holds `read`, `silver`, `quarantined`, `reasons` (records by the reason counted), `sum_amount` (by status),
`orders_per_minute` (list of status, start of the window in milliseconds since 1970, count, sum of amounts) and `gold`
(the number of its rows). Sums are exact decimals, written as text. SILVER holds the rows of silver in the order of the
input: amounts as text with two decimals, `ts` in milliseconds since 1970. `-` writes to standard output.

The rules, in the order in which a record is held against them; the first that it fails is the reason counted:
  malformed_json    the line is one JSON object
  missing_order_id  `order_id` is a text and not empty
  bad_status        `status` is one of six
  bad_quantity      `quantity` is an integer, or a text that holds one within blanks, from 1 to 1000
  bad_amount        `amount` is a number, or a text that is a plain decimal once blanks around it and commas are gone
  bad_ts            `ts` is a date and time of the calendar as YYYY-MM-DDTHH:MM:SS[.fff]Z
Then the e-mail address keeps its first character and its domain, the phone number its last two digits, and an address
within the note becomes [EMAIL].
"""
import argparse
import collections
import datetime
import decimal
import json
import re
import sys

STATUSES = frozenset(["pending", "paid", "shipped", "delivered", "cancelled", "returned"])
WINDOW_MS = 60_000
EPOCH = datetime.datetime(1970, 1, 1)

INTEGER = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
INSTANT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,3}))?Z")
ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


class Number(str):
    """A JSON number as it stands in the record."""


class Rejected(Exception):
    """Carries the reason."""


def no_json(word):
    """Python reads NaN and Infinity, which no JSON has."""
    raise ValueError(word)


def parse(line):
    try:
        record = json.loads(line, parse_int=Number, parse_float=Number, parse_constant=no_json)
    except ValueError:
        raise Rejected("malformed_json") from None
    if not isinstance(record, dict):
        raise Rejected("malformed_json")
    return record


def is_text(value):
    return isinstance(value, str) and not isinstance(value, Number)


def quantity(value):
    if isinstance(value, str) and INTEGER.fullmatch(value.strip(" ")):
        number = int(value)
        if 1 <= number <= 1000:
            return number
    raise Rejected("bad_quantity")


def amount(value):
    """In cents."""
    if isinstance(value, Number):
        exact = decimal.Decimal(value)
    elif isinstance(value, str) and DECIMAL.fullmatch(value.strip(" ").replace(",", "")):
        exact = decimal.Decimal(value.strip(" ").replace(",", ""))
    else:
        raise Rejected("bad_amount")
    cents = exact * 100
    if cents != int(cents):
        sys.exit(f"amount `{value}` has more than two decimals; the task does not say how to round")
    return int(cents)


def instant(value):
    """In milliseconds since 1970."""
    found = is_text(value) and INSTANT.fullmatch(value)
    if not found:
        raise Rejected("bad_ts")
    *whole, fraction = found.groups()
    try:
        since = datetime.datetime(*map(int, whole)) - EPOCH
    except ValueError:
        raise Rejected("bad_ts") from None
    return (since.days * 86_400 + since.seconds) * 1000 + int((fraction or "").ljust(3, "0"))


def hidden_email(value):
    if value is None:
        return None
    name, at, domain = value.partition("@")
    return f"{name[0]}***@{domain}" if name and at else "***"


def hidden_phone(value):
    return None if value is None else re.sub("[0-9]", "*", value[:-2]) + value[-2:]


def silver(line):
    """The row that a line becomes; raises Rejected."""
    record = parse(line)
    order_id, status, note = record.get("order_id"), record.get("status"), record.get("note")
    if not is_text(order_id) or not order_id:
        raise Rejected("missing_order_id")
    if not is_text(status) or status not in STATUSES:
        raise Rejected("bad_status")
    return {
        "order_id": order_id,
        "customer_id": record.get("customer_id"),
        "email": hidden_email(record.get("email")),
        "phone": hidden_phone(record.get("phone")),
        "status": status,
        "quantity": quantity(record.get("quantity")),
        "amount": amount(record.get("amount")),
        "country": record.get("country"),
        "ts": instant(record.get("ts")),
        "note": None if note is None else ADDRESS.sub("[EMAIL]", note),
    }


def decimals(cents):
    return str(decimal.Decimal(cents).scaleb(-2))


class Tally:
    """Counts and sums over all records."""

    def __init__(self):
        self.read = 0
        self.reasons = collections.Counter()
        self.by_status = collections.Counter()
        self.by_minute = {}

    def add(self, row):
        self.by_status[row["status"]] += row["amount"]
        window = row["status"], row["ts"] // WINDOW_MS * WINDOW_MS
        count, cents = self.by_minute.get(window, (0, 0))
        self.by_minute[window] = count + 1, cents + row["amount"]

    def result(self):
        quarantined = sum(self.reasons.values())
        minutes = sorted(self.by_minute.items())
        return {
            "read": self.read,
            "silver": self.read - quarantined,
            "quarantined": quarantined,
            "reasons": dict(sorted(self.reasons.items())),
            "gold": len(minutes),
            "sum_amount": {status: decimals(cents) for status, cents in sorted(self.by_status.items())},
            "orders_per_minute": [[*window, count, decimals(cents)] for window, (count, cents) in minutes],
        }


def run(source, rows):
    tally = Tally()
    for line in source:
        tally.read += 1
        try:
            row = silver(line.rstrip("\n"))
        except Rejected as rejected:
            tally.reasons[str(rejected)] += 1
            continue
        tally.add(row)
        if rows:
            row["amount"] = decimals(row["amount"])
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
    return tally.result()


def main():
    args = argparse.ArgumentParser(description="Says what the pipeline `orders` must make of its input.")
    args.add_argument("input")
    args.add_argument("out")
    args.add_argument("--silver")
    args = args.parse_args()
    rows = args.silver and open(args.silver, "w", encoding="utf-8", newline="\n")
    with open(args.input, encoding="utf-8", newline="\n") as source:
        result = run(source, rows)
    if rows:
        rows.close()
    text = json.dumps(result)
    if args.out == "-":
        print(text)
    else:
        with open(args.out, "w", encoding="utf-8") as out:
            out.write(text + "\n")


if __name__ == "__main__":
    main()
