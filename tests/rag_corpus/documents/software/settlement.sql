-- Bills of the month: hire of machines and drying, for each member. Run on the fourth, sent on the fifth.
-- :month is the first day of the month that is billed.

WITH hire AS (
    SELECT b.member, sum(p.cents * u.quantity) AS cents
    FROM booking b
    JOIN usage u ON u.booking = b.id
    JOIN price p ON p.machine = b.machine
                AND p.valid @> lower(b.span)::date     -- the price of the day on which the booking began
    WHERE b.closed_at >= :month AND b.closed_at < :month + interval '1 month'
    GROUP BY b.member
),
drying AS (
    SELECT d.member, sum(round(d.weight / 1000.0 * c.cents_per_tonne)) AS cents
    FROM delivery d
    JOIN drying_charge c ON c.dryer = d.dryer AND c.moisture @> d.moisture
    WHERE d.delivered >= :month AND d.delivered < :month + interval '1 month'
    GROUP BY d.member
)
SELECT m.number,
       m.household,
       coalesce(h.cents, 0) + coalesce(d.cents, 0) AS cents
FROM member m
LEFT JOIN hire h ON h.member = m.number
LEFT JOIN drying d ON d.member = m.number
-- Bills below three euros wait for the next month: the stamp was dearer than the bill, and the
-- custom outlived the stamp.
WHERE coalesce(h.cents, 0) + coalesce(d.cents, 0) >= 300
ORDER BY m.number;
