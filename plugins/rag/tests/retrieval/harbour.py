"""Short passages about one harbour, many of which say nearly the same of different things, and questions on them.

Written for these tests. A passage is known by its place in the list.
"""

from __future__ import annotations

PASSAGES = [
    # 0: berths
    "Berth A1 takes vessels up to 42 metres and has shore power of 63 amperes.",
    "Berth A2 takes vessels up to 36 metres and has shore power of 32 amperes.",
    "Berth A7 takes vessels up to 42 metres, but has no shore power.",
    "Berth B1 is kept free for the rescue cruiser at all times.",
    "Berth B3 is closed for dredging until the end of October.",
    "Berth C2 lies behind the breakwater and is the calmest in a north-easterly gale.",
    "Berth C4 dries out at low water; only flat-bottomed boats may lie there overnight.",
    "Berth D9 is let to the diving school by the season.",
    # 8: faults of the lock and its pumps
    "Fault L-201 of the lock: the upper gate does not report that it is shut. Clean the contact on the east side.",
    "Fault L-202 of the lock: the lower gate does not report that it is shut. Clean the contact on the west side.",
    "Fault L-210 of the lock: the water level sensor and the gauge differ by more than five centimetres.",
    "Fault L-231 of the lock: the hydraulic oil is warmer than 70 degrees. Stop for half an hour.",
    "Fault P-201 of the drainage pump: no flow although the motor turns. Look for rags in the intake.",
    "Fault P-202 of the drainage pump: the motor draws too much current. Call the electrician.",
    "Fault P-210 of the drainage pump: the float switch hangs. Lift it by hand once.",
    "Fault K-201 of the crane: the brake has worn below four millimetres. The crane must not lift.",
    # 16: people
    "Marta Lindqvist is the harbour master. She decides on closures and signs the tide notices.",
    "Marten Lindqvist repairs sails in the old net loft; he is no relation of the harbour master.",
    "Maria Lundquist keeps the books of the harbour and sends out the invoices.",
    "Ole Brandt pilots ships above 80 metres through the narrows.",
    "Ole Brand runs the chandlery beside the slipway.",
    "Olivia Brandt teaches children to sail on Wednesday afternoons.",
    "Jonas Petri stands in for the pilot in August.",
    "Petra Jonas looks after the leading lights and the buoys.",
    # 24: ferries
    "Ferry 12 leaves for Skarn Island at 06:40, 11:10 and 17:25 on working days.",
    "Ferry 14 leaves for Skarn Island at 08:15 and 19:50 on Sundays only.",
    "Ferry 21 leaves for Great Holm at 07:05 and takes no cars.",
    "Ferry 22 leaves for Little Holm at 07:30 and takes six cars.",
    "In fog the ferries wait until the far beacon can be seen from the pier head.",
    "Dogs travel free of charge on all ferries and stay on the open deck.",
    "A bicycle costs 2.50 on the ferry, a loaded cargo bike 5.00.",
    "Whoever misses the last boat home may sleep in the waiting room; the key hangs at the kiosk.",
    # 32: tariffs and forms
    "Form H-17 is filled in by visiting yachts within an hour of mooring.",
    "Form H-18 is filled in by fishing boats that land more than 300 kilograms.",
    "Form H-71 asks for a place in the winter storage hall.",
    "Tariff 2023: visiting yachts pay 1.90 per metre and night.",
    "Tariff 2024: visiting yachts pay 2.20 per metre and night.",
    "Tariff 2025: visiting yachts pay 2.35 per metre and night.",
    "Invoices that are not paid within 30 days cost a fee of 12.00.",
    "Residents of the town get a fifth off all mooring charges.",
    # 40: radio and lights
    "The harbour office listens on channel 11, the lock on channel 22.",
    "Pilots are called on channel 13 two hours ahead.",
    "The weather is read out on channel 67 at ten past every third hour.",
    "The red light on the north pier flashes every four seconds.",
    "The green light on the south pier flashes every six seconds.",
    "Three red balls at the signal mast mean that no ship may enter.",
    # 46: rules
    "Speed inside the piers is limited to four knots.",
    "Barbecues are forbidden on the wooden jetties and allowed on the gravel beach.",
    "Waste oil goes into the yellow tank behind the workshop, never into the bins.",
    "Nobody swims between the ferry pier and the fuel dock.",
    "Masts are stepped with the small crane, by appointment only.",
    "Children on the pontoons wear life jackets, whoever their parents are.",
    "Drones may be flown only with a written permit of the harbour office.",
    "From 22:00 to 07:00 generators and loud music are off.",
    # 54: serial numbers and supplies
    "The big crane is a Halvorsen 9000, serial number HV-88213-C, built in 1987.",
    "The small crane is a Halvorsen 900, serial number HV-88231-C, built in 1994.",
    "The fuel pump takes the filter FX-4410; the one of the workboat takes FX-4401.",
    "Rope of 14 millimetres for mooring lines is kept on reel R5, of 12 millimetres on reel R6.",
    "Spare fuses of 63 amperes lie in drawer E2, of 32 amperes in drawer E3.",
    # 59: the sea and its weather
    "After two days of southerly wind the water in the basin stands half a metre higher than the table says.",
    "Ice in the basin is broken by the tug Ursa as soon as it carries a gull.",
    "In March seals lie on the slipway; they are left alone and the slip is closed.",
    "The current in the narrows turns forty minutes before high water.",
    "When the barometer falls by more than six hectopascals in three hours, the storm lines are put out.",
    "The bar at the entrance shifts every winter and is sounded anew in April.",
    "Jellyfish clog the cooling inlets in late summer; sieves are cleaned each morning then.",
]

BY_WORDS = {
    "What is L-231?": 11,
    "P-210": 14,
    "what does K-201 mean": 15,
    "serial HV-88231-C": 55,
    "HV-88213-C": 54,
    "Which filter is FX-4401 for?": 56,
    "form H-71": 34,
    "H-18 form": 33,
    "tariff 2024 yachts": 36,
    "berth D9": 7,
    "Where is reel R6?": 57,
    "Ole Brand": 20,
    "Petra Jonas": 23,
    "What lies in drawer E3?": 58,
    "channel 67": 42,
    "Ferry 22 cars": 27,
}
"""Questions by code, name or number, and the passage that answers each."""
BY_MEANING = {
    "Who do I pay my bill to?": 18,
    "Can I take my puppy on the boat?": 29,
    "How fast may I drive a motorboat in the port?": 46,
    "Where do I get rid of used engine lubricant?": 48,
    "Is grilling sausages permitted?": 47,
    "Where is there shelter from strong wind?": 5,
    "It is so misty, will we set off?": 28,
    "My kid wants lessons in handling a dinghy": 21,
    "Where can I stay the night if I am stranded?": 31,
    "Must toddlers have a flotation vest?": 51,
    "May I photograph the port from the air with a quadcopter?": 52,
    "The basin is frozen over, what now?": 60,
    "Animals are resting where I want to launch my boat": 61,
    "discount for locals": 39,
    "Which boats are for emergencies at sea?": 3,
    "quiet hours at night": 53,
}
"""Questions in other words than their answers."""
