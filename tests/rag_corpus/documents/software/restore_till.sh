#!/bin/sh
# Puts the prices of last night's copy back into the till. Takes a quarter of an hour.
# usage: restore_till.sh [DATE]     DATE as 2025-11-02; default: the newest copy
set -eu

COPIES=/srv/copies
DATE=${1:-$(ls "$COPIES" | sed -n 's/^till-\(.*\)\.tar\.gz$/\1/p' | sort | tail -1)}

# Receipts are never put back: receipts that were printed after the copy would get their numbers twice,
# and the tax office counts numbers. Only the folder of prices is unpacked.
tar -C /srv/till -xzf "$COPIES/till-$DATE.tar.gz" prices

# Articles that Anna Brandt has stopped stay stopped. The list lies beside the copies, not in them, since
# a restore once put a cheese back on sale that had been recalled two days before.
while read -r ARTICLE; do
    sed -i "s/^$ARTICLE;.*$/$ARTICLE;STOPPED/" /srv/till/prices/articles.txt
done < "$COPIES/stopped.txt"

till-control reload prices
echo "prices of $DATE are in the till"
