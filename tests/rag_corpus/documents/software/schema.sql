-- Tables of Barnbook (PostgreSQL 15). Amounts are cents, times are UTC, weights are kilograms.

CREATE TABLE member (
    number      integer PRIMARY KEY,          -- never given to another household, even after leaving
    household   text NOT NULL,
    place       text NOT NULL,
    joined      date NOT NULL,
    left_on     date,
    chip        char(8) UNIQUE                -- null while a lost chip is blocked
);

CREATE TABLE machine (
    fleet_number  integer PRIMARY KEY,
    name          text NOT NULL,
    unit          text NOT NULL CHECK (unit IN ('hour', 'hectare', 'bale', 'load')),
    needs_intro   boolean NOT NULL DEFAULT true
);

CREATE TABLE booking (
    id          bigserial PRIMARY KEY,
    machine     integer NOT NULL REFERENCES machine,
    member      integer NOT NULL REFERENCES member,
    span        tstzrange NOT NULL,
    fetched_at  timestamptz,
    closed_at   timestamptz,
    complaint   text,
    EXCLUDE USING gist (machine WITH =, span WITH &&)   -- two bookings of one machine never overlap
);

CREATE TABLE position (
    machine   integer NOT NULL REFERENCES machine,
    at        timestamptz NOT NULL,
    east      real NOT NULL,
    north     real NOT NULL
);
-- Deleted after 90 days by the job "forget" at 3:15 (handbook 2025, section 10).

CREATE TABLE delivery (
    id        bigserial PRIMARY KEY,
    member    integer NOT NULL REFERENCES member,
    crop      text NOT NULL,
    weight    integer NOT NULL CHECK (weight BETWEEN 50 AND 40000),  -- the weighbridge carries 40 tonnes
    moisture  numeric(4, 1) NOT NULL,
    dryer     text CHECK (dryer IN ('gd30', 'gd300'))
);
