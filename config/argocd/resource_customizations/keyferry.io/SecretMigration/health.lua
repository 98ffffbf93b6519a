-- Health of a SecretMigration for Argo CD. Healthy: every key is done. Degraded: it failed, or needs a change.
-- Progressing: it works, or waits for an object that the same sync can bring. Suspended: it waits for a person.
local waits_for_object = {
  BackendNotFound = true,
  BackendNotReady = true,
  DefaultMissing = true,
}

local hs = { status = "Progressing", message = "Waiting for Keyferry" }
local status = obj.status
-- Conditions about an earlier generation say nothing of this spec.
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local found = {}
for _, condition in ipairs(status.conditions) do
  if condition.observedGeneration == obj.metadata.generation then
    found[condition.type] = condition
  end
end

local ready = found.Ready
if ready == nil then
  return hs
end
hs.message = ready.message
if ready.reason == "AwaitingApproval" or (found.Suspended ~= nil and found.Suspended.status == "True") then
  hs.status = "Suspended"
  return hs
end
if found.Stalled ~= nil and found.Stalled.status == "True" then
  hs.status = "Degraded"
elseif ready.status == "True" then
  hs.status = "Healthy"
elseif ready.status == "False" and not waits_for_object[ready.reason] then
  hs.status = "Degraded"
end
return hs
