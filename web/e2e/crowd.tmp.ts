import { Stage } from "./src/stage.ts"; import { World } from "./src/world.ts"; import { Person } from "./src/person.ts"; import {createMeeting} from "./src/meeting.ts"; import { stats } from "./src/tab.ts"; import {execSync} from "node:child_process";
const w=new World(); const s=new Stage(w);
const server=await s.server();
const link=await createMeeting(server);
const n=Number(process.argv[2]??20);
s.bot(link,{count:n, args: process.argv.slice(3)});
const ada = await Person.enter(s,"chromium",link,{name:"Ada",colour:"red",size:[1280,800]});
const t0=Date.now(); let last=0;
for (let i=0;i<15;i++){ await new Promise(r=>setTimeout(r,2000)); const st=await stats(ada.tab); const b=st.video.reduce((a,v)=>a+v.bytes,0);
 const tiles=await ada.tiles(); const c:any={}; for(const t of tiles) c[t.state]=(c[t.state]??0)+1;
 const rtt=await ada.tab.evaluate(async()=>{let o="";for(const p of conclaveProbe.peers){if(p.connectionState==="closed")continue;(await p.getStats()).forEach((e:any)=>{if(e.type==="candidate-pair"&&e.nominated)o+=`rtt ${e.currentRoundTripTime} out ${e.availableOutgoingBitrate} recv ${e.bytesReceived} `; if(e.type==="inbound-rtp"&&e.kind==="audio"&&e.packetsReceived) o+=`a${e.packetsReceived}/${e.packetsLost} `;})}return o});
 console.log(((Date.now()-t0)/1000).toFixed(0),JSON.stringify(c),"kbps",((b-last)*8/2000).toFixed(0),rtt, execSync("cat /proc/loadavg").toString().slice(0,5)); last=b; }
await s.close(); await w.close(); process.exit(0);
