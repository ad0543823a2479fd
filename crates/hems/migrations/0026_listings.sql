-- When the last device of an emergency was named; without a time they are being named, or that was cut off. Those of
-- before that name somebody are taken for whole.
ALTER TABLE radio_off ADD COLUMN listed_at BIGINT;
UPDATE radio_off SET listed_at = at
    WHERE EXISTS (SELECT 1 FROM radio_off_device WHERE radio_off_device.emergency = radio_off.id);
