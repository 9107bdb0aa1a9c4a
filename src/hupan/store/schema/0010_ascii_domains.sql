-- Addresses are kept with the ASCII form of their domain. What SQL cannot turn into it is done by
-- store/ascii_domains.py in the same transaction; here goes what nothing can be made of: codes and
-- messages to the other form never left.
DELETE FROM codes WHERE channel = 'email' AND octet_length(target) > length(target);
DELETE FROM outbox WHERE channel = 'email' AND octet_length(target) > length(target);
