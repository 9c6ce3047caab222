#!/bin/sh
# Nightly copy of Barnbook and of the till, to the disk in the office and to the box at Weir House.
# Runs at 2:40 from cron: at 2:00 the cold store defrosts and the lights flicker, which is how we lost
# the night of 17 August 2024.
set -eu

TARGET=/srv/copies
KEEP_DAYS=35
STAMP=$(date +%Y-%m-%d)

pg_dump --format=custom barnbook > "$TARGET/barnbook-$STAMP.dump.part"
mv "$TARGET/barnbook-$STAMP.dump.part" "$TARGET/barnbook-$STAMP.dump"

tar -C /srv/till -czf "$TARGET/till-$STAMP.tar.gz" prices receipts

# A copy that is smaller than nine tenths of yesterday's is suspicious: keep it, but tell Sunil.
YESTERDAY=$(date -d yesterday +%Y-%m-%d)
NEW=$(stat -c %s "$TARGET/barnbook-$STAMP.dump")
OLD=$(stat -c %s "$TARGET/barnbook-$YESTERDAY.dump" 2>/dev/null || echo 0)
if [ "$((NEW * 10))" -lt "$((OLD * 9))" ]; then
    echo "copy of $STAMP is much smaller than that of $YESTERDAY" | mail -s "Barnbook: small copy" sunil
fi

# The last copy of each month stays for ten years (tax office), the rest for five weeks.
find "$TARGET" -name '*.dump' -mtime +$KEEP_DAYS ! -name '*-28.dump' -delete
rsync -a --partial "$TARGET/" weirhouse:/copies/
