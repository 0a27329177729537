package engine

import "encoding/json"

// IdentifySwitch turns every identify event into an identify action where on says that the connection's switch is set.
func IdentifySwitch(on func(environment, source string) bool) Decider {
	return DeciderFunc(func(event *Event) *Decision {
		if event.Type != TypeIdentify || !on(event.Environment, event.Source) {
			return nil
		}
		return &Decision{Actions: []*Action{switchAction(event)}}
	})
}

var switchParameters = json.RawMessage(`{"user_id":"user_id","traits":"traits"}`)

func switchAction(event *Event) *Action {
	action := &Action{
		EventID: event.ID, Environment: event.Environment, Rule: IdentifySwitchRule, Kind: ActionIdentify,
		Lane: event.Lane(), UserID: event.UserID, Parameters: switchParameters, Status: StatusWaiting,
	}
	var traits any
	var err error
	if event.Traits != nil {
		traits, err = DecodeJSON(event.Traits)
	}
	if err == nil {
		action.Identify, err = NewIdentify(event.UserID, traits)
	}
	if err != nil {
		action.Status, action.Reason = StatusSkipped, err.Error()
	}
	return action
}
